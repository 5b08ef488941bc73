"""What an answer costs: requests per second of one process on one core, against an empty FastAPI endpoint."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from api.kept import KeptCopy
from benchmarks import lab
from benchmarks.bad_models import failing_model, slow_model
from benchmarks.http_load import CONNECTIONS, SERVER, Measured, on_core, put_load
from benchmarks.report import Report, ratio
from common.onnx_export import export_onnx
from common.outliers import fit_outlier_scorer
from common.problem import Problem, get_problem
from common.registry import Version
from common.settings import Settings
from common.split import split
from common.table import read_table
from scripts.parts import process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

CHAMPION, CHALLENGER = 3, 4  # the versions that are served
ROUNDS = 5
SECONDS = 2.0
WARM_UP = 0.5
PATIENCE = 60.0
KEEP_UP_WITHIN = 1.0
FILLING_ROWS = 200  # in one request, to fill the queue of a challenger that does not keep up
SLOW_SECONDS = 0.01
EMPTY = "an empty FastAPI endpoint"
TEXT = (
    f"{CONNECTIONS} connections, on each one `POST /predict` of one row at a time; one uvicorn process without access "
    "log on one core, what sends on another (where the system can bind processes to cores). The unit is a FastAPI "
    "application that takes the same body and does nothing with it. Each row of the api has what the one before has, "
    "and something more; with a challenger it is the whole api. The last three have a worse challenger instead, whose "
    "queue is full, if it can be filled, when measuring begins; what they cost more is told against an ordinary "
    f"challenger. The log is in SQLite. Each service was started {ROUNDS} times, in turn, and measured for "
    f"{SECONDS:.0f} s: medians, in brackets the slowest and the fastest start. Core per request is what the process "
    "used, all of its threads together. The last columns are the challenger's share of the rows; what is missing to "
    "100 % waits, and above 100 % are rows that had waited before. "
)
HEADER = (
    *("", "requests/s", "ratio", "core per request", "more", "p50", "p99"),
    *("also answered by the challenger", "failed", "not shown to it"),
)


@dataclass(frozen=True)
class Service:
    """What is measured, with its models. `base` is the name of the service that it costs more than."""

    name: str
    app: str
    champion: bytes = b""
    challenger: bytes = b""
    base: str = EMPTY


@dataclass(frozen=True)
class Counts:
    """Rows as `/metrics` counts them: answered, logged or not, and what became of those that the challenger got."""

    answered: int
    logged: int
    not_logged: int
    scored: int
    failed: int
    not_shown: int

    def __sub__(self, before: "Counts") -> "Counts":
        """Return what has come since."""
        return Counts(**{name: value - getattr(before, name) for name, value in vars(self).items()})

    @property
    def seen(self) -> bool:
        """Whether the challenger has seen every row, or was not shown it."""
        return self.answered == self.scored + self.failed + self.not_shown

    @property
    def written(self) -> bool:
        """Whether all that was answered is in the log, or counted as dropped; or there is no log."""
        return self.logged + self.not_logged in (0, self.answered + self.scored)


COUNTERS = {
    "answered": "predicted_class_name",
    "logged": "prediction_log_rows",
    "not_logged": "prediction_log_dropped",
    "scored": "shadow_predictions",
    "failed": "shadow_failures",
    "not_shown": "shadow_dropped",
}


@dataclass(frozen=True)
class Start:
    """One start of a service: the load, the seconds of a core that it took the service, and what the api counted.

    `counts` is None for what is not the api.
    """

    load: Measured
    core: float
    counts: Counts | None


def measure() -> Report:
    """Start every service in turn, several times, and put the load on each."""
    with lab.lab() as settings:
        problem = get_problem(settings.problem)
        services = make_services(problem, settings)
        found: dict[str, list[Start]] = {service.name: [] for service in services}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: {len(services)} services")
            for service in services:
                home = settings.lab_home / f"{len(found[service.name])} {service.name}"
                own = settings.model_copy(update={"lab_home": home, "database_url": f"sqlite:///{home}/lab.db"})
                found[service.name].append(start(service, own, problem))
    return _report(services, found)


def make_services(problem: Problem, settings: Settings) -> Sequence[Service]:
    """Return the services, with the models that they serve."""
    lab.say("make the models")
    table = read_table(settings.data_dir / "train.csv", problem, indices=True)
    model = problem.candidates()[-1].fit(table.X, table.y)
    plain, scoring = (
        bytes(export_onnx(model, problem, table, {}, scorer).SerializeToString())
        for scorer in (None, fit_outlier_scorer(*split(table)))
    )
    alone = Service("the api: model and counters alone", "benchmarks.answering_app:unlogged", plain)
    logged = Service("+ the log of predictions", "api.api:create_app", plain, base=alone.name)
    outliers = replace(logged, name="+ outlier scores", champion=scoring, base=logged.name)
    whole = replace(outliers, name="+ a challenger", challenger=scoring, base=outliers.name)
    worse = replace(whole, base=whole.name)
    return (
        Service("no framework: a bare ASGI application", "benchmarks.answering_app:bare"),
        Service(EMPTY, "benchmarks.answering_app:empty"),
        *(alone, logged, outliers, whole),
        replace(worse, name="a challenger that waits 10 ms a row", app="benchmarks.answering_app:waiting_challenger"),
        replace(
            worse, name="a challenger that computes 10 ms a row", challenger=slow_model(problem, seconds=SLOW_SECONDS)
        ),
        replace(worse, name="a challenger that fails at every row", challenger=failing_model(problem)),
    )


def start(service: Service, settings: Settings, problem: Problem) -> Start:
    """Start a service, put the load on it, and see that it has answered and counted every row.

    Raises:
        LoadError: a request was not answered with 200.
        RuntimeError: the api has counted other answers than the client got.
    """
    row = {feature.name: feature.example for feature in problem.features}
    one, many = json.dumps(row).encode(), json.dumps({"data": [[*row.values()]] * FILLING_ROWS}).encode()
    with serving(service, settings, problem) as running:
        load = partial(put_load, settings.api_port, "/predict", one)
        load(WARM_UP)
        if not service.champion:
            return Start(*running.timed(lambda: load(SECONDS)), None)
        http = running.http
        while service.challenger and not keeps_up(http) and not counts(http).not_shown:
            put_load(settings.api_port, "/predict", many, WARM_UP)
        before = written(http)
        measured, core = running.timed(lambda: load(SECONDS))
        if service.challenger and not before.not_shown:
            keeps_up(http)
        return Start(measured, core, accounted(written(http) - before, measured.answers))


def keeps_up(http: httpx.Client) -> bool:
    """Return whether the challenger has soon seen all the rows."""
    try:
        return wait_for("the challenger", lambda: counts(http).seen, within=KEEP_UP_WITHIN)
    except TimeoutError:
        return False


def written(http: httpx.Client) -> Counts:
    """Return what the api has counted, when all of it is in the log or counted as dropped."""

    def look() -> Counts | None:
        found = counts(http)
        return found if found.written else None

    return wait_for("the log", look, within=PATIENCE)


def accounted(found: Counts, answers: int) -> Counts:
    """Return what was counted while the client got so many answers.

    Raises:
        RuntimeError: other answers were counted.
    """
    if found.answered != answers:
        raise RuntimeError(f"the client got {answers} answers, and the api has counted {found.answered}")
    return found


def counts(http: httpx.Client) -> Counts:
    """Return what the api has counted so far."""
    families = text_string_to_metric_families(http.get("/metrics").raise_for_status().text)
    totals = {family.name: sum(s.value for s in family.samples if s.name.endswith("_total")) for family in families}
    return Counts(**{name: int(totals[metric]) for name, metric in COUNTERS.items()})


@dataclass(frozen=True)
class Running:
    """A service that runs: a client of it, and its process."""

    http: httpx.Client
    process: psutil.Process

    def timed(self, load: Callable[[], Measured]) -> tuple[Measured, float]:
        """Put a load on it; return what came of that, and the seconds of a core that the service's process took."""
        before = self.process.cpu_times()
        measured, after = load(), self.process.cpu_times()
        return measured, after.user + after.system - before.user - before.system


@contextmanager
def serving(service: Service, settings: Settings, problem: Problem) -> Iterator[Running]:
    """Run a service on its core, with its models on disk and MLflow away; yield it when it is ready."""
    for role, number, content in (("champion", CHAMPION, service.champion), ("shadow", CHALLENGER, service.challenger)):
        if content:
            kept = KeptCopy(settings.state_dir / "served" / problem.onnx_name / role)
            kept.keep(Version(problem.onnx_name, number, role, {}), content)
    command = [*lab.uvicorn(service.app, settings.api_port), "--factory", "--no-access-log"]
    with on_core(SERVER):
        running = process(command, log_path(settings, "service"), process_environment(settings))
    url = f"http://{HOST}:{settings.api_port}"
    with running as started, httpx.Client(base_url=url, timeout=10.0) as http:
        wait_for(service.name, lambda: http.get("/readyz").is_success, within=PATIENCE)
        yield Running(http, psutil.Process(started.pid))


def _report(services: Sequence[Service], found: Mapping[str, Sequence[Start]]) -> Report:
    busiest = max(start.load.busy for service in services for start in found[service.name])
    answers = sum(start.load.answers for service in services if service.champion for start in found[service.name])
    checked = (
        f"All requests were answered with 200; the {answers} answers of the api are as many as its own counters say, "
        "and each is in the log or counted as dropped. What sends them was busy for "
        f"{busiest:.0%} of the time at most."
    )
    costs = {name: 1e6 * median(each.core / each.load.answers for each in starts) for name, starts in found.items()}
    unit = median(start.load.rate for start in found[EMPTY])
    rows = [_row(service, found[service.name], costs, unit) for service in services]
    return Report("What an answer costs", TEXT + checked, HEADER, rows)


def _row(service: Service, starts: Sequence[Start], costs: Mapping[str, float], unit: float) -> Sequence[str]:
    rates, cost = [start.load.rate for start in starts], costs[service.name]
    p50, p99 = median(start.load.p50 for start in starts), median(start.load.p99 for start in starts)
    return (
        service.name,
        f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
        ratio(median(rates), unit),
        f"{cost:.0f} µs",
        f"{cost - costs[service.base]:+.0f} µs" if service.champion else "",
        f"{p50 * 1e3:.1f} ms",
        f"{p99 * 1e3:.1f} ms",
        *_challenger(service, [start.counts for start in starts if start.counts]),
    )


def _challenger(service: Service, counted: Sequence[Counts]) -> Sequence[str]:
    if not service.challenger:
        return ("", "", "")
    answered = sum(each.answered for each in counted)
    return [f"{sum(getattr(e, name) for e in counted) / answered:.1%}" for name in ("scored", "failed", "not_shown")]


if __name__ == "__main__":
    print(measure().markdown())
