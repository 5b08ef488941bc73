"""Requests of a thousand rows, in the api's own format and by the open inference protocol, against other servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.contestants import API, ROWS, Contestant, make_model, ours, peers, tutorials
from benchmarks.harness.counting import accounted, written
from benchmarks.harness.http_load import CONNECTIONS, Measured, send
from benchmarks.harness.questions import Question
from benchmarks.harness.report import Claim, Report, latencies, ratio
from benchmarks.harness.running import Running
from benchmarks.harness.serving import EMPTY, UNLOGGED, own_home
from common.problem import get_problem
from common.settings import Settings

ROUNDS = 3
SECONDS = 2.0
WARM_UP = 1.0
ONE = "one row"
DATA, OPEN_JSON, OPEN_BINARY = '`{"data": …}`', "OIP v2, JSON", "OIP v2, binary"
MLSERVER = "MLServer"
LEAST_DATA = 1_000_000 / 6_300  # a million rows a second where the empty endpoint answers 6 300 requests a second
LEAST_JSON, LEAST_BINARY = 3.0, 6.0  # times the rows of MLServer
TEXT = (
    f"Requests of {ROWS:,} rows on the same servers as above. The answers hold class, probabilities and outlier score "
    "of each row (the tutorial's service: the class alone). MLServer knows no binary tensors over REST. "
    f"{CONNECTIONS} connections; each server on one core, started {ROUNDS} times, in turn, and measured for "
    f"{SECONDS:.0f} s with each format. The figures are medians. Every class of the first answer is compared with the "
    "model's. The unit is the number of one-row requests that the empty FastAPI endpoint answers in the same time. "
    "*Logged* is the share of the api's rows that is in the log; the other rows are counted as dropped, because SQLite "
    "cannot write as fast. The writer and the answers share a core: the api without the log shows how much of it the "
    "writer takes. "
)
HEADER = (
    *("", "format", "rows/s", "ratio to requests of the empty endpoint", f"ratio to {MLSERVER}"),
    *("core per row", "p50", "p99", "logged"),
)


@dataclass(frozen=True)
class Asking:
    """A load of one format: its rows, the core seconds of the server, and the share of the rows that is in the log."""

    rows: int
    load: Measured
    core: float
    logged: float | None

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.load.seconds


Found = Mapping[tuple[str, str], Sequence[Asking]]


def measure() -> Report:
    """Start all servers in turn, several times, and measure each with all its formats."""
    with lab.lab() as settings:
        model = make_model(get_problem(settings.problem), settings)
        _, empty, api, _, unlogged = ours(model)
        contestants = (empty, api, unlogged, tutorials(model)[0], *peers(model))
        found: dict[tuple[str, str], list[Asking]] = {}
        for turn in range(ROUNDS):
            for each in contestants:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {each.name}")
                for form, asking in start(each, own_home(settings, f"{turn} {each.name}")).items():
                    found.setdefault((each.name, form), []).append(asking)
    return _report(found)


def start(contestant: Contestant, settings: Settings) -> Mapping[str, Asking]:
    """Start a server, and measure it with all its formats for many rows; without any, with one row.

    Raises:
        LoadError: a request was not answered with 200.
        WrongAnswerError: the server answers other classes than the model.
    """
    formats = contestant.many or {ONE: contestant.one}
    with contestant.asked(settings) as running:
        return {form: ask(contestant, question, running, settings.api_port) for form, question in formats.items()}


def ask(contestant: Contestant, question: Question, running: Running, port: int) -> Asking:
    """Check one answer of a server in one format, then send the load."""
    question.answered(running.http)
    send(port, question.post, WARM_UP)
    before = written(running.http) if contestant.name == API else None
    load, core = running.timed(lambda: send(port, question.post, SECONDS))
    size = len(question.expected)
    if before is None:
        return Asking(size * load.answers, load, core, None)
    counted = accounted(written(running.http) - before, load, size)
    return Asking(size * load.answers, load, core, counted.logged / counted.answered)


def _report(found: Found) -> Report:
    rates = {key: median(asking.rate for asking in askings) for key, askings in found.items()}
    [mlserver] = [key for key in found if key[0].startswith(MLSERVER)]
    empty = rates[EMPTY.name, ONE]
    claims = (
        _claim(rates[UNLOGGED, DATA], empty, f"requests of {EMPTY.name}", LEAST_DATA, DATA),
        _claim(rates[UNLOGGED, OPEN_JSON], rates[mlserver], " ".join(mlserver), LEAST_JSON, OPEN_JSON),
        _claim(rates[UNLOGGED, OPEN_BINARY], rates[mlserver], " ".join(mlserver), LEAST_BINARY, OPEN_BINARY),
    )
    rows = [_row(key, askings, rates[key], empty, rates[mlserver]) for key, askings in found.items()]
    busiest = max(asking.load.busy for askings in found.values() for asking in askings)
    text = f"{TEXT}wrk was busy for at most {busiest:.0%} of the time."
    return Report(f"Batches of {ROWS:,} rows", text, HEADER, rows, claims)


def _claim(rate: float, unit: float, against: str, least: float, form: str) -> Claim:
    what, met = f"rows answered in batches of {ROWS:,}, {form}, without the log", rate >= least * unit
    return Claim(what, f"{rate:,.0f} rows/s", f"{rate / unit:.1f}", against, f"at least {least:.0f}", met)


def _row(key: tuple[str, str], askings: Sequence[Asking], rate: float, empty: float, mlserver: float) -> Sequence[str]:
    logged = [asking.logged for asking in askings if asking.logged is not None]
    return (
        *key,
        f"{rate:,.0f}",
        f"{rate / empty:.1f}",
        ratio(rate, mlserver),
        f"{1e6 * median(asking.core / asking.rows for asking in askings):.2f} µs",
        *latencies([asking.load for asking in askings]),
        f"{median(logged):.0%}" if logged else "",
    )
