"""Task 4: the counter, Prometheus and a dashboard."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from lesson.grading.data_task import Fault
from lesson.grading.marks import MarkSheet
from lesson.grading.programs import Programs, StartError
from lesson.grading.prometheus_server import (
    INSTALL,
    PROGRAM,
    ConfigError,
    RunningPrometheus,
    has_series,
    student_prometheus,
    without_variables,
)
from lesson.grading.raw_data import NAMES, usable_rows
from lesson.grading.scratch import Scratch
from lesson.grading.service import COUNTER, LABEL, Counted, StudentService

ASKED = (3, 2, 4)  # rows of each class
REFUSED = 3
SETTLES, SETTLE_SECONDS = 10, 0.2


def grade_counter(marks: MarkSheet, service: StudentService) -> None:
    """Grade the counter: what it says before and after some answers and some refusals."""
    try:
        for name in NAMES:  # so that each class has a series
            service.answer(_row(name))
        before = _settled(service)
    except httpx.HTTPError as error:
        marks.failed("metrics", f"no answer ({type(error).__name__})", "GET /metrics should answer at once")
        return
    if before is None or not before.exists:
        seen = f"GET /metrics has no {COUNTER}" if before else "GET /metrics does not get status 200"
        marks.failed("metrics", seen, 'Counter("predictions", …, ["class_name"]) and its page at /metrics')
        return
    marks.passed("metrics", f"{COUNTER} is there")
    wanted: Counter[str] = Counter()
    for name, count in zip(NAMES, ASKED, strict=True):
        for _ in range(count):
            wanted[str(service.answer(_row(name)))] += 1
    after = _settled(service) or before
    marks.judge("counts", _count_fault(before, after, wanted), f"{sum(ASKED)} answers, {sum(ASKED)} more")
    for _ in range(REFUSED):
        service.predict([*_row(NAMES[0])[:3], "five"])
    risen = (_settled(service) or after).by_class.total() - after.by_class.total()
    fault = (
        f"the counter counts requests with 422: {REFUSED} of them, {risen} more",
        "raise the counter where the answer is ready, and not in a middleware or before the check of the input",
    )
    marks.judge("refused", fault if risen else None, f"{REFUSED} refused requests, no more")


def _settled(service: StudentService) -> Counted | None:
    """Return the counts when they no longer rise: a service may count a moment after its answer."""
    last = service.counts()
    for _ in range(SETTLES):
        time.sleep(SETTLE_SECONDS)
        before, last = last, service.counts()
        if before == last:
            break
    return last


def _row(name: str) -> tuple[float, ...]:
    return next(row.features for row in usable_rows() if row.class_name == name)


def _count_fault(before: Counted, after: Counted, wanted: Counter[str]) -> Fault:
    risen = {name: count for name in after.by_class if (count := after.by_class[name] - before.by_class[name])}
    if risen == dict(wanted):
        return None
    if LABEL not in after.labels:
        seen = f"the counter has no label {LABEL}, but {', '.join(after.labels) or 'none'}"
        return seen, f'Counter("predictions", …, ["{LABEL}"])'
    if not risen:
        return "the counter never rises", ".labels(class_name).inc() for each answer"
    if set(risen) != set(wanted):
        seen = f"the label {LABEL} is {', '.join(sorted(risen))}, the answers were {', '.join(sorted(wanted))}"
        return seen, "the label is the class name of the answer"
    return f"the counter rises by {risen} for the answers {dict(wanted)}", "one more for each answer"


@contextmanager
def watched(
    scratch: Scratch, programs: Programs, marks: MarkSheet, service: StudentService
) -> Iterator[RunningPrometheus | None]:
    """Run Prometheus and grade its scrapes; yield None if there is nothing to ask."""
    if shutil.which(PROGRAM) is None:
        for key in ("scrape", "dashboard"):
            marks.unchecked(key, "Prometheus is not installed on this machine", INSTALL)
        yield None
        return
    advice = "`promtool check config prometheus.yml`; the job api has static_configs with the api's host and port"
    try:
        with student_prometheus(scratch, programs, service.port) as prometheus:
            marks.judge("scrape", _scrape_fault(programs, service, prometheus), "up is 1, and the counter has series")
            yield prometheus
    except (ConfigError, StartError) as error:
        marks.failed("scrape", str(error), advice)
        yield None


def _scrape_fault(programs: Programs, service: StudentService, prometheus: RunningPrometheus) -> Fault:
    target = f'instance=~".*:{service.port}"'

    def is_up() -> bool:
        return any(each["value"][1] == "1" for each in prometheus.query(f"up{{{target}}}"))

    if not programs.wait(_with_traffic(service, is_up), programs.limits.scrape, every=0.3):
        errors = [f"{each['scrapeUrl']}: {each['lastError']}" for each in prometheus.targets() if each["lastError"]]
        seen = f"the scrape fails: {'; '.join(errors) or 'no target was scraped'}"
        return seen, "compare metrics_path, scheme and port of the job with the address that shows the counter"
    found = _with_traffic(service, lambda: has_series(prometheus, COUNTER))
    if not programs.wait(found, programs.limits.scrape, every=0.3):
        return f"the api is up, but Prometheus has no {COUNTER}", "the job should scrape the page that has the counter"
    return None


def _with_traffic(service: StudentService, look: Callable[[], bool]) -> Callable[[], bool]:
    """Return `look` with a prediction before each call, so that counters rise meanwhile."""

    def looked() -> bool:
        service.answer(_row(NAMES[0]))
        return look()

    return looked


def grade_dashboards(
    scratch: Scratch,
    programs: Programs,
    marks: MarkSheet,
    service: StudentService,
    prometheus: RunningPrometheus,
) -> None:
    """Grade the queries of all dashboards."""
    try:
        queries = dashboard_queries(scratch.project / "grafana")
    except ValueError as error:
        marks.failed("dashboard", str(error), "export the dashboard again from Grafana")
        return
    if not queries:
        marks.failed("dashboard", "no query in grafana/**/*.json", "save the dashboard's JSON in the folder grafana")
        return
    left = dict(queries)

    def all_have_series() -> bool:
        for panel in [panel for panel, expr in left.items() if has_series(prometheus, without_variables(expr))]:
            del left[panel]
        return not left

    try:
        programs.wait(_with_traffic(service, all_have_series), programs.limits.scrape, every=0.5)
    except ConfigError as error:
        marks.failed("dashboard", f"Prometheus refuses a query: {error}", "try the query at /graph of Prometheus")
        return
    seen = "; ".join(f"{panel}: {expr}" for panel, expr in left.items())
    fault = (f"no series for {seen}", f"compare the names in the query with /metrics; the counter is {COUNTER}")
    marks.judge("dashboard", fault if left else None, f"{len(queries)} queries with series")


def dashboard_queries(folder: Path) -> dict[str, str]:
    """Return the queries of all dashboards by panel.

    Raises:
        ValueError: a file is no JSON.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"grafana/{path.name} is no JSON: {error}") from error
        for panel, expr in _queries(content):
            found[f"{path.name}, panel {panel!r}, query {len(found) + 1}"] = expr
    return found


def _queries(part: Any, panel: str = "") -> Iterator[tuple[str, str]]:
    """Return title and expression of each target in a dashboard, however deep it stands."""
    if isinstance(part, dict):
        panel = str(part.get("title", panel))
        if isinstance(part.get("targets"), list):
            for target in part["targets"]:
                if isinstance(target, dict) and target.get("expr"):
                    yield panel, str(target["expr"])
        for value in part.values():
            yield from _queries(value, panel)
    elif isinstance(part, list):
        for value in part:
            yield from _queries(value, panel)
