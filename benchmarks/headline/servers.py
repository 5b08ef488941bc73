"""Answers of one row, against other people's model servers: the same model, each server on one core."""

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
    "The same ONNX file with classifier and outlier scorer (the tutorial's way: its classifier, in scikit-learn), "
    "asked for one row at a time in the protocol that is each server's own: the api `/predict`, MLServer the open "
    "inference protocol, KServe its v1, BentoML and LitServe a route of their service, MLflow `/invocations`. Each "
    "peer's service is as small as its documentation shows, in its own environment, with one worker, without access "
    f"log; LitServe and BentoML start more processes. {CONNECTIONS} connections; all processes of a server on one "
    "core, wrk on another (where the system can bind processes to cores). "
    f"Each was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s: medians, in brackets the slowest and "
    "the fastest start. Core per request and resident memory, after the load, are of all processes together. Cold "
    "start is from the start of the process until it has answered with the class that the model says. The empty "
    "endpoint and the bare application answer always the same. "
)
HEADER = ("", "requests/s", "ratio", "core per request", "p50", "p99", "resident", "cold start")


@dataclass(frozen=True)
class Start:
    """One start of a server: its load, core seconds during that, MB after it, and seconds until the first answer."""

    load: Measured
    core: float
    resident: float
    cold_start: float


def measure() -> Report:
    """Start all in turn, several times, and put the load on each."""
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
    """Start a server, and put the load on it.

    Raises:
        LoadError: a request was not answered with 200.
        WrongAnswerError: it answers another class than the model.
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
    text = f"{TEXT}wrk was busy for {busiest:.0%} of the time at most. The fastest peer is {fastest}."
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
