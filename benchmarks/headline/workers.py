"""The gain of a second worker: requests per second of the api in one process, and in two on the same port."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import httpx
import psutil

from benchmarks.harness import lab
from benchmarks.harness.counting import accounted, totals, written
from benchmarks.harness.http_load import Measured, put_load
from benchmarks.harness.report import Claim, Report, latencies, ratio, spread
from benchmarks.harness.running import PATIENCE, core_seconds
from benchmarks.harness.serving import keep_models, own_home, whole
from benchmarks.headline.answering import ROUNDS, SECONDS, WARM_UP
from benchmarks.more.problems import champion_of
from common.problem import Problem, get_problem
from common.settings import Settings
from scripts.parts import process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

WORKERS = 2
WANTED = 1.7
BATCH = 8  # rows of a request: so few that the log keeps up


@dataclass(frozen=True)
class Case:
    """A number of workers, of connections, and of rows in a request; `of_one` are the connections of the unit."""

    workers: int
    connections: int
    of_one: int
    rows: int = 1

    @property
    def unit(self) -> "Case":
        """The case with one worker that this case is compared with."""
        return Case(1, self.of_one, self.of_one, self.rows)


# Two workers get as many connections as one worker, and then as many each.
CASES = [
    case
    for connections, rows in ((16, 1), (64, 1), (16, BATCH))
    for case in (
        Case(1, connections, connections, rows),
        Case(WORKERS, connections, connections, rows),
        Case(WORKERS, WORKERS * connections, connections, rows),
    )
]
SINGLE, BATCHED = Case(WORKERS, WORKERS * 64, 64), Case(WORKERS, WORKERS * 16, 16, BATCH)
TEXT = (
    "The api, started by `python -m api.serve`, in one process and with `API_WORKERS=2`; the log is in SQLite. Each "
    'connection sends one `POST /predict` at a time, with one row, or with {batch} rows as `{{"data": …}}`. Requests '
    "of one row that arrive in the same turn of the event loop share a run of the model. A worker with half of the "
    "connections shares less, so two workers are also measured with as many connections each as one worker has. The "
    "service is bound to no core. wrk is bound to one core. The machine has {cores}, so wrk takes a part of a core "
    "that the second worker could use: a large part where wrk works nearly as long on a request as the service, a "
    "small part where the service has more work. The column *extrapolated ratio* was not measured. It divides the "
    "measured rate by the share of the workers' cores that wrk left to them, and so estimates the ratio with wrk on "
    "another machine. "
    f"Each service was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s. The figures are medians; "
    "brackets hold the slowest and the fastest start. *Core per request* is the time of all processes of the service. "
    "All requests were answered with 200. Every worker reports the same {answers} answers that wrk received, and each "
    "answer is in the log or counted as dropped."
)
HEADER = (
    *("workers", "rows of a request", "connections", "requests/s", "ratio to one worker", "extrapolated ratio"),
    *("core per request", "p50", "p99", "cores that the service used", "cores that wrk used", "logged"),
)


@dataclass(frozen=True)
class Start:
    """The result of one load on one start of the service.

    Attributes:
        core: core seconds of all processes of the service.
        logged: the share of the rows that is in the log; the others are counted as dropped.
    """

    load: Measured
    core: float
    logged: float


Found = Mapping[Case, list[Start]]


def measure() -> Report:
    """Start the api with one worker and with two in turn, several times, and send all loads to each."""
    with lab.lab() as settings:
        problem = get_problem(settings.problem)
        content = champion_of(problem, settings)
        found: Found = {case: [] for case in CASES}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: 1 worker, then {WORKERS}")
            for workers in (1, WORKERS):
                own = own_home(settings, f"{turn} {workers}").model_copy(update={"api_workers": workers})
                with serving(own, problem, content) as service:
                    for case in CASES:
                        if case.workers == workers:
                            found[case].append(service.load(problem, case))
    return _report(found)


@dataclass(frozen=True)
class Service:
    """The api with one or more processes: a client, the process that was started first, and the port."""

    http: httpx.Client
    process: psutil.Process
    port: int

    def load(self, problem: Problem, case: Case) -> Start:
        """Send a load to the api, and check that the api counted every answer.

        Raises:
            LoadError: a request was not answered with 200.
            RuntimeError: the api has counted more or fewer answers than the client got.
        """
        row = {feature.name: feature.example for feature in problem.features}
        body = json.dumps(row if case.rows == 1 else {"data": [list(row.values())] * case.rows}).encode()
        put_load(self.port, "/predict", body, WARM_UP, case.connections)
        before, core = written(self.http), core_seconds(self.process)
        load = put_load(self.port, "/predict", body, SECONDS, case.connections)
        core = core_seconds(self.process) - core
        counted = accounted(written(self.http) - before, load, case.rows)
        return Start(load, core, counted.logged / counted.answered)

    @property
    def swaps(self) -> float:
        """How often the workers have taken a version into service: once each, when all are ready."""
        return totals(self.http)["model_swaps"]


@contextmanager
def serving(settings: Settings, problem: Problem, content: bytes) -> Iterator[Service]:
    """Run the api with its model on disk and without MLflow; yield it when all workers are ready."""
    keep_models(whole(content), settings, problem)
    command, log = [sys.executable, "-m", "api.serve"], log_path(settings, "service")
    with (
        process(command, log, process_environment(settings)) as started,
        httpx.Client(base_url=f"http://{HOST}:{settings.api_port}", timeout=10.0) as http,
    ):
        service = Service(http, psutil.Process(started.pid), settings.api_port)
        wait_for("all workers", lambda: service.swaps == settings.api_workers, within=PATIENCE)
        yield service


def _report(found: Found) -> Report:
    answers = sum(start.load.answers for starts in found.values() for start in starts)
    text = TEXT.format(batch=BATCH, cores=f"{os.cpu_count()} cores", answers=answers)
    claims = [_claim_of_batches(found), _claim_of_rows(found)]
    return Report("Workers", text, HEADER, [_row(case, found) for case in found], claims)


def _claim_of_batches(found: Found) -> Claim:
    two, one = _rate(BATCHED, found), _rate(BATCHED.unit, found)
    what, required = f"two workers, {BATCH} rows a request; wrk on the same two cores", f"at least {WANTED}"
    return Claim(what, f"{two:.0f} requests/s", ratio(two, one), "one worker", required, two >= WANTED * one)


def _claim_of_rows(found: Found) -> Claim:
    two, one = _rate(SINGLE, found), _rate(SINGLE.unit, found)
    alone = two / _left(SINGLE, found)
    return Claim(
        "two workers, one row a request; wrk on the same two cores",
        f"{two:.0f} requests/s",
        ratio(two, one),
        "one worker",
        f"extrapolated, at least {WANTED}",
        alone >= WANTED * one,
        f"wrk on another machine: {alone:.0f} requests/s, ratio {ratio(alone, one)}",
    )


def _rate(case: Case, found: Found) -> float:
    return median(each.load.rate for each in found[case])


def _left(case: Case, found: Found) -> float:
    """Return the share of the workers' cores that wrk left to the service."""
    sending = median(each.load.busy for each in found[case])
    return min((os.cpu_count() or 1) - sending, case.workers) / case.workers


def _row(case: Case, found: Found) -> Sequence[str]:
    starts = found[case]
    rates, unit = [each.load.rate for each in starts], _rate(case.unit, found)
    return (
        f"{case.workers}",
        f"{case.rows}",
        f"{case.connections}",
        spread(rates),
        ratio(median(rates), unit),
        ratio(median(rates) / _left(case, found), unit),
        f"{median(each.core / each.load.answers for each in starts) * 1e6:.0f} µs",
        *latencies([each.load for each in starts]),
        f"{median(each.core / each.load.seconds for each in starts):.2f}",
        f"{median(each.load.busy for each in starts):.2f}",
        f"{median(each.logged for each in starts):.0%}",
    )
