"""What an answer costs: requests per second of one process on one core, against an empty FastAPI endpoint."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from benchmarks.harness import fitted, lab
from benchmarks.harness.counting import Counts, accounted, counts, keeps_up, written
from benchmarks.harness.http_load import CONNECTIONS, Measured, put_load
from benchmarks.harness.report import Claim, Report, latencies, milliseconds, ratio, spread
from benchmarks.harness.serving import BARE, EMPTY, Service, challenged, own_home, serving, whole
from benchmarks.more.bad_models import failing_model, slow_model
from common.problem import Problem, get_problem
from common.settings import Settings

ROUNDS = 5
SECONDS = 2.0
WARM_UP = 0.5
MANY_CONNECTIONS = 64
FILLING_ROWS = 200  # in one request, to fill the queue of a challenger that does not keep up
SLOW_SECONDS = 0.01
LEAST, LEAST_WITH_MANY, LEAST_CHALLENGED = 2.0, 3.5, 1.5  # times the empty endpoint
TEXT = (
    f"{CONNECTIONS} connections, on each one `POST /predict` of one row at a time; one uvicorn process without access "
    "log on one core, wrk on another (where the system can bind processes to cores). The unit is a FastAPI "
    "application that takes the same body and does nothing with it. Each row of the api has what the one before has, "
    "and something more; with a challenger it is the whole api. The last three have a worse challenger instead, whose "
    "queue is full, if it can be filled, when measuring begins; what they cost more is told against an ordinary "
    f"challenger. The log is in SQLite. Each service was started {ROUNDS} times, in turn, and measured for "
    f"{SECONDS:.0f} s, then for as long with {MANY_CONNECTIONS} connections: medians, in brackets the slowest and the "
    "fastest start. Core per request is what the process used, all of its threads together. *Logged* is the share of "
    "the answers, the challenger's among them, that was in the log when the load ended; what came in the last tenth of "
    "a second is always on its way. The last columns are the challenger's share of the rows; what is missing to 100 % "
    "waits, and above 100 % are rows that had waited before. "
)
HEADER = (
    *("", "requests/s", "ratio", "core per request", "more", "p50", "p99", "logged"),
    *(f"requests/s, {MANY_CONNECTIONS} connections", "ratio", "logged"),
    *("also answered by the challenger", "failed", "not shown to it"),
)


@dataclass(frozen=True)
class Step:
    """A service on the way from nothing to the whole api. `base` is the name of the one that it costs more than."""

    service: Service
    base: str = EMPTY.name

    @property
    def name(self) -> str:
        """What the service is called."""
        return self.service.name


@dataclass(frozen=True)
class Start:
    """One start of a service: the load, the seconds of a core that it took the service, and what the api counted.

    `wide` is a load with more connections. `counts`, and the shares that were in the log when each load ended, are None
    for what is not the api.
    """

    load: Measured
    core: float
    wide: Measured
    counts: Counts | None = None
    logged: float | None = None
    wide_logged: float | None = None


Found = Mapping[str, Sequence[Start]]


def measure() -> Report:
    """Start every service in turn, several times, and put the load on each."""
    with lab.lab() as settings:
        problem = get_problem(settings.problem)
        steps = make_steps(problem, settings)
        found: dict[str, list[Start]] = {step.name: [] for step in steps}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: {len(steps)} services")
            for step in steps:
                own = own_home(settings, f"{turn} {step.name}")
                found[step.name].append(start(step.service, own, problem))
    return _report(steps, found)


def make_steps(problem: Problem, settings: Settings) -> Sequence[Step]:
    """Return the services, with the models that they serve."""
    lab.say("make the models")
    made = fitted.fit(problem, settings)
    plain = bytes(made.unscored.SerializeToString())
    all_on, shadowed = whole(made.bundle), challenged(made.bundle)
    alone = Service("the api: model and counters alone", "benchmarks.headline.answering_app:unlogged", plain)
    logged = replace(all_on, name="+ the log of predictions", champion=plain)
    outliers = replace(all_on, name="+ outlier scores")
    worst = replace(shadowed, name="a challenger that fails at every row", challenger=failing_model(problem))
    slow = slow_model(problem, seconds=SLOW_SECONDS)
    with_challenger = replace(shadowed, name="+ a challenger")
    waiting = replace(
        shadowed, name="a challenger that waits 10 ms a row", app="benchmarks.headline.answering_app:waiting_challenger"
    )
    computing = replace(shadowed, name="a challenger that computes 10 ms a row", challenger=slow)
    return (
        *(Step(BARE), Step(EMPTY), Step(alone), Step(logged, alone.name), Step(outliers, logged.name)),
        Step(with_challenger, outliers.name),
        *(Step(each, with_challenger.name) for each in (waiting, computing, worst)),
    )


def start(service: Service, settings: Settings, problem: Problem, seconds: float = SECONDS) -> Start:
    """Start a service, put the loads on it, and see that it has answered and counted every row.

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
            return Start(*running.timed(lambda: load(seconds)), load(seconds, MANY_CONNECTIONS))
        http = running.http
        while service.challenger and not keeps_up(http) and not counts(http).not_shown:
            put_load(settings.api_port, "/predict", many, WARM_UP)
        before = written(http)
        measured, core = running.timed(lambda: load(seconds))
        logged = _share_logged(counts(http) - before)
        if service.challenger and not before.not_shown:
            keeps_up(http)
        counted = accounted(written(http) - before, measured)
        before = written(http)
        wide = load(seconds, MANY_CONNECTIONS)
        wide_logged = _share_logged(counts(http) - before)
        accounted(written(http) - before, wide)
        return Start(measured, core, wide, counted, logged, wide_logged)


def _share_logged(found: Counts) -> float:
    return found.logged / (found.answered + found.scored)


def _report(steps: Sequence[Step], found: Found) -> Report:
    busiest = max(max(each.load.busy, each.wide.busy) for starts in found.values() for each in starts)
    answers = sum(start.load.answers for step in steps if step.service.champion for start in found[step.name])
    checked = (
        f"All requests were answered with 200; the {answers} answers of the api are as many as its own counters say, "
        f"and each is in the log or counted as dropped. wrk was busy for {busiest:.0%} of the time at most."
    )
    costs = {name: 1e6 * median(each.core / each.load.answers for each in starts) for name, starts in found.items()}
    rows = [_row(step, found, costs) for step in steps]
    return Report(
        "What an answer costs", TEXT + checked, HEADER, rows, claims(found, "+ outlier scores", "+ a challenger")
    )


def claims(found: Found, everything: str, shadowed: str) -> Sequence[Claim]:
    """Return what is claimed of the api with everything on, and of that with a challenger, which have these names."""
    rates = {name: median(start.load.rate for start in starts) for name, starts in found.items()}
    wide = {name: median(start.wide.rate for start in starts) for name, starts in found.items()}
    p99s = {name: median(start.load.p99 for start in starts) for name, starts in found.items()}
    p99, limit = p99s[everything], p99s[EMPTY.name]
    return (
        _faster("a full answer: validated, scored, outlier-scored, counted, logged", rates, everything, LEAST),
        _faster(f"a full answer, {MANY_CONNECTIONS} connections", wide, everything, LEAST_WITH_MANY),
        _faster("a full answer, with a challenger in the shadow", rates, shadowed, LEAST_CHALLENGED),
        Claim("p99 of a full answer", milliseconds(p99), ratio(p99, limit), EMPTY.name, "at most 1", p99 <= limit),
    )


def _faster(what: str, rates: Mapping[str, float], name: str, least: float) -> Claim:
    rate, unit = rates[name], rates[EMPTY.name]
    return Claim(
        what, f"{rate:.0f} requests/s", ratio(rate, unit), EMPTY.name, f"at least {least}", rate >= least * unit
    )


def _row(step: Step, found: Found, costs: Mapping[str, float]) -> Sequence[str]:
    starts, cost = found[step.name], costs[step.name]
    return (
        step.name,
        *_rate([start.load for start in starts], [start.load for start in found[EMPTY.name]]),
        f"{cost:.0f} µs",
        f"{cost - costs[step.base]:+.0f} µs" if step.service.champion else "",
        *latencies([start.load for start in starts]),
        _logged([start.logged for start in starts]),
        *_rate([start.wide for start in starts], [start.wide for start in found[EMPTY.name]]),
        _logged([start.wide_logged for start in starts]),
        *_challenger(step.service, [start.counts for start in starts if start.counts]),
    )


def _rate(loads: Sequence[Measured], unit: Sequence[Measured]) -> tuple[str, str]:
    rates = [load.rate for load in loads]
    return spread(rates), ratio(median(rates), median(load.rate for load in unit))


def _logged(shares: Sequence[float | None]) -> str:
    found = [share for share in shares if share is not None]
    return f"{median(found):.0%}" if found else ""


def _challenger(service: Service, counted: Sequence[Counts]) -> Sequence[str]:
    if not service.challenger:
        return ("", "", "")
    answered = sum(each.answered for each in counted)
    return [f"{sum(getattr(e, name) for e in counted) / answered:.1%}" for name in ("scored", "failed", "not_shown")]
