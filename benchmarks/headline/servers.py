"""Requests of one row, against the peers: the same model, each server on one core."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.contestants import API, Contestant, make_model, ours, peers, tutorials
from benchmarks.harness.http_load import CONNECTIONS, Measured, send
from benchmarks.harness.registering import put
from benchmarks.harness.report import Claim, Report, latencies, ratio, seconds, spread
from benchmarks.harness.serving import EMPTY, own_home
from common.problem import get_problem
from common.settings import Settings
from scripts.parts import part

ROUNDS = 5
SECONDS = 2.0
WARM_UP = 0.5
LEAST = 6.0  # times the fastest peer
TEXT = (
    "All servers serve the same ONNX graph with classifier and outlier scorer (the tutorial's service: the classifier "
    "alone, in scikit-learn). Each is asked for one row at a time in its own protocol: the api by `/predict`, MLServer "
    "by the open inference protocol, KServe by its protocol v1, BentoML and LitServe by a route of their service, "
    "MLflow by `/invocations`. Each peer's service is as small as its documentation shows, in its own environment, "
    f"with one worker, without access log; LitServe and BentoML start further processes. {CONNECTIONS} connections; "
    "all processes of a server run on one core, wrk on another (where the system can bind processes to cores). "
    f"Each server was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s. The figures are medians; "
    "brackets hold the slowest and the fastest start. Core per request and resident memory, measured after the load, "
    "count all processes of a server. The cold start lasts from the start of the process to the first answer with the "
    "right class. The empty endpoint and the bare application always give the same answer. "
)
HEADER = ("", "requests/s", "ratio", "core per request", "p50", "p99", "resident", "cold start")


@dataclass(frozen=True)
class Start:
    """One start of a server: the load, its core seconds, the MB after it, and the seconds until the first answer."""

    load: Measured
    core: float
    resident: float
    cold_start: float


def measure() -> Report:
    """Start all servers in turn, several times, and send the load to each."""
    with lab.lab() as settings, ExitStack() as stack:
        problem = get_problem(settings.problem)
        model = make_model(problem, settings)
        stack.enter_context(part("mlflow", settings))
        put(settings, problem, model.fitted.model, model.fitted.graph)
        bare, empty, api, _, _ = ours(model)
        contestants = (bare, empty, api, *tutorials(model), *peers(model))
        found: dict[str, list[Start]] = {each.name: [] for each in contestants}
        for turn in range(ROUNDS):
            for each in contestants:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {each.name}")
                found[each.name].append(start(each, own_home(settings, f"{turn} {each.name}")))
    return _report(contestants, found)


def start(contestant: Contestant, settings: Settings) -> Start:
    """Start a server, and send the load to it.

    Raises:
        LoadError: a request was not answered with 200.
        WrongAnswerError: the server answers another class than the model.
    """
    with contestant.asked(settings) as running:
        send(settings.api_port, contestant.one.post, WARM_UP)
        load, core = running.timed(lambda: send(settings.api_port, contestant.one.post, SECONDS))
        return Start(load, core, running.resident(), running.cold_start)


def _report(contestants: Sequence[Contestant], found: Mapping[str, Sequence[Start]]) -> Report:
    rates = {name: median(start.load.rate for start in starts) for name, starts in found.items()}
    busiest = max(start.load.busy for starts in found.values() for start in starts)
    fastest = max((each.name for each in contestants if each.peer), key=rates.__getitem__)
    rate, unit = rates[API], rates[fastest]
    text = f"{TEXT}wrk was busy for at most {busiest:.0%} of the time. The fastest peer is {fastest}."
    claim = Claim(
        "a full answer, against the fastest peer", f"{rate:.0f} requests/s", ratio(rate, unit), fastest,
        f"at least {LEAST:.0f}", met=rate >= LEAST * unit,
    )  # fmt: skip
    rows = [_row(name, starts, rates[EMPTY.name]) for name, starts in found.items()]
    return Report("Against other model servers", text, HEADER, rows, [claim])


def _row(name: str, starts: Sequence[Start], unit: float) -> Sequence[str]:
    rates = [start.load.rate for start in starts]
    return (
        name,
        spread(rates),
        ratio(median(rates), unit),
        f"{1e6 * median(start.core / start.load.answers for start in starts):.0f} µs",
        *latencies([start.load for start in starts]),
        f"{median(start.resident for start in starts):.0f} MB",
        seconds(median(start.cold_start for start in starts)),
    )
