"""The cost of an answer: requests per second of one process on one core, against an empty FastAPI endpoint."""

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
FILLING_ROWS = 200  # rows of the requests that fill the queue of a slow challenger
SLOW_SECONDS = 0.01
LEAST, LEAST_WITH_MANY, LEAST_CHALLENGED = 2.0, 3.5, 1.5  # times the empty endpoint
TEXT = (
    f"Each of {CONNECTIONS} connections sends one `POST /predict` of one row at a time. One uvicorn process without "
    "access log runs on one core, wrk on another (where the system can bind processes to cores). The unit is a FastAPI "
    "application that takes the same body and does nothing with it. Each row of the api adds a part to the row before; "
    "the api with a challenger is complete. The last three rows have a bad challenger instead. Its queue is full when "
    "the measurement begins, unless the challenger keeps up; the column *more* compares it with an ordinary "
    "challenger. The log is in SQLite. Each service was started "
    f"{ROUNDS} times, in turn, and measured for {SECONDS:.0f} s, then for as long with {MANY_CONNECTIONS} connections. "
    "The figures are medians; brackets hold the slowest and the fastest start. *Core per request* is the time of all "
    "threads of the process. *More* is the difference to an earlier row. *Logged* is the share of all answers, the "
    "challenger's included, that was in the log when the load ended; answers of the last tenth of a second are always "
    "still in the queue. The last three columns are shares of the rows that the champion answered. Where they add up "
    "to less than 100 %, rows still waited for the challenger; above 100 %, the challenger also answered rows that had "
    "waited before the measurement. "
)
HEADER = (
    *("", "requests/s", "ratio", "core per request", "more", "p50", "p99", "logged"),
    *(f"requests/s, {MANY_CONNECTIONS} connections", "ratio", "logged"),
    *("answered by the challenger", "failed at the challenger", "not given to the challenger"),
)


@dataclass(frozen=True)
class Step:
    """A service between no framework and the complete api. `base` is the name of the step to compare its cost with."""

    service: Service
    base: str = EMPTY.name

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.service.name


@dataclass(frozen=True)
class Start:
    """One start of a service: the load, the core seconds of the service during the load, and the api's counters.

    `wide` is a load with more connections. `logged` and `wide_logged` are the shares of the answers that were in the
    log when the loads ended. They and `counts` are None for a service that is not the api.
    """

    load: Measured
    core: float
    wide: Measured
    counts: Counts | None = None
    logged: float | None = None
    wide_logged: float | None = None


Found = Mapping[str, Sequence[Start]]


def measure() -> Report:
    """Start every service in turn, several times, and send the load to each."""
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
    """Return the services with their models."""
    lab.say("make the models")
    made = fitted.fit(problem, settings)
    plain = bytes(made.unscored.SerializeToString())
    all_on, shadowed = whole(made.bundle), challenged(made.bundle)
    alone = Service("the api: model and counters alone", "benchmarks.headline.answering_app:unlogged", plain)
    logged = replace(all_on, name="+ the log of predictions", champion=plain)
    outliers = replace(all_on, name="+ outlier scores")
    worst = replace(shadowed, name="a challenger that fails on every row", challenger=failing_model(problem))
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
    """Start a service, send the loads to it, and check that it answered and counted every row.

    Raises:
        LoadError: a request was not answered with 200.
        RuntimeError: the api has counted more or fewer answers than the client got.
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
        f"All requests were answered with 200. The api's counters agree with the {answers} answers that wrk got, and "
        f"each answer is in the log or counted as dropped. wrk was busy for at most {busiest:.0%} of the time."
    )
    costs = {name: 1e6 * median(each.core / each.load.answers for each in starts) for name, starts in found.items()}
    rows = [_row(step, found, costs) for step in steps]
    return Report(
        "The cost of an answer", TEXT + checked, HEADER, rows, claims(found, "+ outlier scores", "+ a challenger")
    )


def claims(found: Found, everything: str, shadowed: str) -> Sequence[Claim]:
    """Return the claims about the api; the arguments name the steps without and with a challenger."""
    rates = {name: median(start.load.rate for start in starts) for name, starts in found.items()}
    wide = {name: median(start.wide.rate for start in starts) for name, starts in found.items()}
    p99s = {name: median(start.load.p99 for start in starts) for name, starts in found.items()}
    p99, limit = p99s[everything], p99s[EMPTY.name]
    return (
        _faster("a full answer: validated, scored, outlier-scored, counted, logged", rates, everything, LEAST),
        _faster(f"a full answer, {MANY_CONNECTIONS} connections", wide, everything, LEAST_WITH_MANY),
        _faster("a full answer, with a challenger", rates, shadowed, LEAST_CHALLENGED),
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
