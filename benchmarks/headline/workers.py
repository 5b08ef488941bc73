"""What a second worker brings: requests per second of the api in one process, and in two on the same port."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from api.model.disk_copy import DiskCopy
from benchmarks.harness import lab
from benchmarks.harness.counting import accounted, written
from benchmarks.harness.http_load import Measured, put_load
from benchmarks.harness.report import Claim, Report, ratio
from benchmarks.harness.running import PATIENCE, core_seconds
from benchmarks.headline.answering import ROUNDS, SECONDS, WARM_UP
from benchmarks.more.problems import champion_of
from common.problem import Problem, get_problem
from common.registry.client import Version
from common.settings import Settings
from scripts.parts import process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

WORKERS = 2
WANTED = 1.7
BATCH = 8  # few enough rows a request for the logs to keep up with them


@dataclass(frozen=True)
class Case:
    """A number of workers, of connections, and of rows in a request; the unit: one worker, `of_one` connections."""

    workers: int
    connections: int
    of_one: int
    rows: int = 1

    @property
    def unit(self) -> "Case":
        """What it is told against."""
        return Case(1, self.of_one, self.of_one, self.rows)


# As many connections for two as for one, and as many for each of the two.
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
    "The api, as `python -m api.serve` starts it, in one process and with `API_WORKERS=2`, log in SQLite; on each "
    'connection one `POST /predict` at a time, of a row, or of {batch} as `{{"data": …}}`. Rows that come one by one '
    "in the same turn of the event loop share a run of the model: a worker with half the connections does more for "
    "each request, so that two workers are also asked over as many connections each as the one. The service is bound "
    "to no core. What sends is bound to one, and takes of it what two workers then have not, since this machine has "
    "{cores}: much where a request costs it nearly as much as the service, little where a request is more work. The "
    "column *without what sends* leaves that out: the rate divided by the share of the workers' cores that was left "
    "to them. "
    f"Each was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s: medians, in brackets the slowest and "
    "the fastest start. Core per request is what all processes of the service used together; the columns after are the "
    "cores that the service and what sends were busy on. All requests were answered with 200; the {answers} answers "
    "are as many as the workers say, whichever of them is asked, and each is in the log or counted as dropped."
)
HEADER = (
    *("workers", "rows", "connections", "requests/s", "of one worker's", "without what sends"),
    *("core per request", "p50", "p99", "cores used", "by sending", "logged"),
)


@dataclass(frozen=True)
class Start:
    """What came of a load on one start.

    Attributes:
        core: the seconds of a core that all processes of the service took.
        logged: the share of the rows that is in the log; the others are counted as dropped.
    """

    load: Measured
    core: float
    logged: float


Found = Mapping[Case, list[Start]]


def measure() -> Report:
    """Start the api with one worker and with two in turn, several times, and put the loads on each."""
    with lab.lab() as settings:
        problem = get_problem(settings.problem)
        content = champion_of(problem, settings)
        found: Found = {case: [] for case in CASES}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: 1 worker, then {WORKERS}")
            for workers in (1, WORKERS):
                home = settings.lab_home / f"{turn} {workers}"
                own = {"lab_home": home, "database_url": f"sqlite:///{home}/lab.db", "api_workers": workers}
                with serving(settings.model_copy(update=own), problem, content) as service:
                    for case in CASES:
                        if case.workers == workers:
                            found[case].append(service.load(problem, case))
    return _report(found)


@dataclass(frozen=True)
class Service:
    """The api, whatever the number of its processes: a client, the process that was started, and its port."""

    http: httpx.Client
    process: psutil.Process
    port: int

    def load(self, problem: Problem, case: Case) -> Start:
        """Put a load on it, and see that every answer was counted.

        Raises:
            LoadError: a request was not answered with 200.
            RuntimeError: the api has counted other answers than the client got.
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
        """How often a worker has taken a version into service: once each, when all are ready."""
        families = text_string_to_metric_families(self.http.get("/metrics").raise_for_status().text)
        return sum(s.value for family in families for s in family.samples if s.name == "model_swaps_total")


@contextmanager
def serving(settings: Settings, problem: Problem, content: bytes) -> Iterator[Service]:
    """Run the api with its model on disk and MLflow away; yield it when all workers are ready."""
    kept = DiskCopy(settings.state_dir / "served" / problem.onnx_name / "champion")
    kept.write(Version(problem.onnx_name, 1, "champion", {}), content)
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
    what = f"a second worker on a second core, on which is what sends, too; {BATCH} rows a request"
    return _claim(what, two, one)


def _claim_of_rows(found: Found) -> Claim:
    two, one = _rate(SINGLE, found), _rate(SINGLE.unit, found)
    what = f"the same, a row a request, were what sends not on it (it is: {ratio(two, one)})"
    return _claim(what, two / _left(SINGLE, found), one)


def _claim(what: str, two: float, one: float) -> Claim:
    required = f"at least {WANTED}"
    return Claim(what, f"{two:.0f} requests/s", ratio(two, one), "one worker", required, two >= WANTED * one)


def _rate(case: Case, found: Found) -> float:
    return median(each.load.rate for each in found[case])


def _left(case: Case, found: Found) -> float:
    """Return the share of its workers' cores that what sends left to the service."""
    sending = median(each.load.busy for each in found[case])
    return min((os.cpu_count() or 1) - sending, case.workers) / case.workers


def _row(case: Case, found: Found) -> Sequence[str]:
    starts = found[case]
    rates, unit = [each.load.rate for each in starts], _rate(case.unit, found)
    return (
        f"{case.workers}",
        f"{case.rows}",
        f"{case.connections}",
        f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
        ratio(median(rates), unit),
        ratio(median(rates) / _left(case, found), unit),
        f"{median(each.core / each.load.answers for each in starts) * 1e6:.0f} µs",
        f"{median(each.load.p50 for each in starts) * 1e3:.1f} ms",
        f"{median(each.load.p99 for each in starts) * 1e3:.1f} ms",
        f"{median(each.core / each.load.seconds for each in starts):.2f}",
        f"{median(each.load.busy for each in starts):.2f}",
        f"{median(each.logged for each in starts):.0%}",
    )


if __name__ == "__main__":
    print(measure().markdown())
