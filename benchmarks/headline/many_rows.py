"""Answers of a thousand rows: in the api's own format and by the open inference protocol, against other servers."""

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
LEAST_DATA = 1_000_000 / 6_300  # a million rows a second where the empty endpoint answers 6 300 requests
LEAST_JSON, LEAST_BINARY = 3.0, 6.0  # times MLServer's rows
TEXT = (
    f"Requests of {ROWS:,} rows, answered with class, probabilities and outlier score of each (the tutorial's way: the "
    "class alone), on the same servers as above; MLServer knows no binary tensors over REST. "
    f"{CONNECTIONS} connections, each server on one core, started {ROUNDS} times in turn, and asked for "
    f"{SECONDS:.0f} s in each way: medians. Every class of the first answer is compared with the model's. The unit are "
    "the requests of one row that the empty FastAPI endpoint answers in the same time. The last column is how many of "
    "the api's rows were in the log; the others are counted as dropped, since SQLite does not write as fast. Writing "
    "shares the core with answering, and takes what it gets of it: the api without its log shows how much that is. "
)
HEADER = (
    *("", "format", "rows/s", "per request of the empty endpoint", f"ratio to {MLSERVER}"),
    *("core per row", "p50", "p99", "logged"),
)


@dataclass(frozen=True)
class Asking:
    """A load of one format: how many rows, what it took of a core, and what share of them the api has logged."""

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
    """Start all in turn, several times, and ask each in all ways that it knows."""
    with lab.lab() as settings:
        model = make_model(get_problem(settings.problem), settings)
        _, empty, api, _, unlogged = ours(model)
        contestants = (empty, api, unlogged, tutorials(model)[0], *peers(model))
        found: dict[tuple[str, str], list[Asking]] = {}
        for turn in range(ROUNDS):
            for each in contestants:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {each.name}")
                for way, asking in start(each, own_home(settings, f"{turn} {each.name}")).items():
                    found.setdefault((each.name, way), []).append(asking)
    return _report(found)


def start(contestant: Contestant, settings: Settings) -> Mapping[str, Asking]:
    """Start a server, and ask it in all its ways; what is not asked for many rows, for one.

    Raises:
        LoadError: a request was not answered with 200.
        WrongAnswerError: it answers other classes than the model.
    """
    ways = contestant.many or {ONE: contestant.one}
    with contestant.asked(settings) as running:
        return {way: ask(contestant, question, running, settings.api_port) for way, question in ways.items()}


def ask(contestant: Contestant, question: Question, running: Running, port: int) -> Asking:
    """Ask a server in one way: see that the answer is right, then put the load on it."""
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
    text = f"{TEXT}wrk was busy for {busiest:.0%} of the time at most."
    return Report(f"Batches of {ROWS:,} rows", text, HEADER, rows, claims)


def _claim(rate: float, unit: float, against: str, least: float, way: str) -> Claim:
    what, met = f"rows answered in batches of {ROWS:,}, {way}, the log apart", rate >= least * unit
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
