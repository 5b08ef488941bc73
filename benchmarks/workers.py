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

from api.kept import KeptCopy
from benchmarks import lab
from benchmarks.answering import ROUNDS, SECONDS, WARM_UP
from benchmarks.counting import PATIENCE, accounted, written
from benchmarks.http_load import Measured, put_load
from benchmarks.problems import champion_of
from benchmarks.report import Claim, Report, ratio
from benchmarks.running import core_seconds
from common.problem import Problem, get_problem
from common.registry import Version
from common.settings import Settings
from scripts.parts import process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

CONNECTIONS = (16, 64)
WORKERS = (1, 2)
WANTED = 1.7
TEXT = (
    f"The api, as `python -m api.serve` starts it, with `API_WORKERS` {WORKERS[0]} and {WORKERS[1]}, log in SQLite; on "
    "each connection one `POST /predict` of one row at a time. The service is bound to no core. What sends is bound "
    "to one, and takes of it what the service then has not: this machine has {cores}. "
    f"Each was started {ROUNDS} times, in turn, and measured for {SECONDS:.0f} s: medians, in brackets the slowest and "
    "the fastest start. Core per request is what all processes of the service used together; the last columns are the "
    "cores that the service and what sends were busy on. All requests were answered with 200; the {answers} answers "
    "are as many as the workers say, whichever of them is asked, and each is in the log or counted as dropped."
)
HEADER = (
    *("connections", "workers", "requests/s", "ratio"),
    *("core per request", "p50", "p99", "cores used", "by sending"),
)


@dataclass(frozen=True)
class Start:
    """What came of a load on one start, and the seconds of a core that all processes of the service took."""

    load: Measured
    core: float


Found = dict[tuple[int, int], list[Start]]


def measure() -> Report:
    """Start the api with one worker and with two in turn, several times, and put the loads on each."""
    with lab.lab() as settings:
        problem = get_problem(settings.problem)
        content = champion_of(problem, settings)
        found: Found = {(connections, workers): [] for connections in CONNECTIONS for workers in WORKERS}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: {' and '.join(map(str, WORKERS))} workers")
            for workers in WORKERS:
                home = settings.lab_home / f"{turn} {workers}"
                own = {"lab_home": home, "database_url": f"sqlite:///{home}/lab.db", "api_workers": workers}
                for connections, start in once(settings.model_copy(update=own), problem, content).items():
                    found[connections, workers].append(start)
    return _report(found)


def once(settings: Settings, problem: Problem, content: bytes) -> Mapping[int, Start]:
    """Start the api, put a load on it over so many connections, and see that every answer was counted.

    Raises:
        LoadError: a request was not answered with 200.
        RuntimeError: the api has counted other answers than the client got.
    """
    body = json.dumps({feature.name: feature.example for feature in problem.features}).encode()
    found = {}
    with serving(settings, problem, content) as (http, service):
        for connections in CONNECTIONS:
            put_load(settings.api_port, "/predict", body, WARM_UP, connections)
            before, core = written(http), core_seconds(service)
            load = put_load(settings.api_port, "/predict", body, SECONDS, connections)
            core = core_seconds(service) - core
            accounted(written(http) - before, load)
            found[connections] = Start(load, core)
    return found


@contextmanager
def serving(settings: Settings, problem: Problem, content: bytes) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Run the api with its model on disk and MLflow away; yield a client and the process when all workers are ready."""
    KeptCopy(settings.state_dir / "served" / problem.onnx_name / "champion").keep(
        Version(problem.onnx_name, 1, "champion", {}), content
    )
    command = [sys.executable, "-m", "api.serve"]
    url = f"http://{HOST}:{settings.api_port}"
    with (
        process(command, log_path(settings, "service"), process_environment(settings)) as started,
        httpx.Client(base_url=url, timeout=10.0) as http,
    ):
        wait_for("all workers", lambda: swaps(http) == settings.api_workers, within=PATIENCE)
        yield http, psutil.Process(started.pid)


def swaps(http: httpx.Client) -> float:
    """Return how often a worker has taken a version into service: once each, when all are ready."""
    families = text_string_to_metric_families(http.get("/metrics").raise_for_status().text)
    return sum(s.value for family in families for s in family.samples if s.name == "model_swaps_total")


def _report(found: Found) -> Report:
    answers = sum(start.load.answers for starts in found.values() for start in starts)
    text = TEXT.format(cores=f"{os.cpu_count()} cores", answers=answers)
    return Report("Workers", text, HEADER, [_row(*key, found) for key in found], [_claim(found)])


def _claim(found: Found) -> Claim:
    one, two = (median(each.load.rate for each in found[CONNECTIONS[-1], workers]) for workers in WORKERS)
    what = f"a second worker on a second core, {CONNECTIONS[-1]} connections, what sends included"
    return Claim(
        what, f"{two:.0f} requests/s", ratio(two, one), "one worker", f"at least {WANTED}", two >= WANTED * one
    )


def _row(connections: int, workers: int, found: Found) -> Sequence[str]:
    starts = found[connections, workers]
    rates = [each.load.rate for each in starts]
    unit = median(each.load.rate for each in found[connections, WORKERS[0]])
    return (
        f"{connections}",
        f"{workers}",
        f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
        ratio(median(rates), unit),
        f"{median(each.core / each.load.answers for each in starts) * 1e6:.0f} µs",
        f"{median(each.load.p50 for each in starts) * 1e3:.1f} ms",
        f"{median(each.load.p99 for each in starts) * 1e3:.1f} ms",
        f"{median(each.core / each.load.seconds for each in starts):.2f}",
        f"{median(each.load.busy for each in starts):.2f}",
    )


if __name__ == "__main__":
    print(measure().markdown())
