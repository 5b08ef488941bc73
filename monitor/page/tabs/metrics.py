"""Tab *Metrics*: the quality of each day's predictions, and the number of predictions with ground truth."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from operator import attrgetter

from common.evaluate import classes_of
from common.store.monitoring.history import DayDelay, DayVolume
from common.store.monitoring.windows import WindowRecord
from common.store.tables import Role
from monitor.page.commands import TRAFFIC
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.tabs import cells
from monitor.page.view import ROLE_NAMES, View
from monitor.statistics.enough import CLASS_LABELS, LABELS
from monitor.statistics.estimates import INTERVAL, METRICS, Estimates, matrices_by, performance
from monitor.statistics.performance import STANDARD_ERRORS
from monitor.statistics.window import Evaluation

DayRole = tuple[date, Role]
IDS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "f-score"}  # letters only
NOT_TESTED = (
    "Nothing to compare: no window of the chosen time and versions, or its version has no results on test rows, like "
    f"one that was registered by hand. Send rows and their ground truth: `{TRAFFIC}`"
)
TESTED_NOTE = (
    f"A measure has dropped if its whole interval ({STANDARD_ERRORS:.0f} standard errors to each side) lies below the "
    f"{INTERVAL} interval of the test rows. An accuracy needs {LABELS} predictions with ground truth; the recall of a "
    f"class needs {CLASS_LABELS} whose true class it is. The day is the newest one of a week that has {LABELS}."
)
COVERAGE = PanelText(
    "coverage",
    "Share of predictions with ground truth, by day",
    cells.NO_PREDICTIONS,
    "Metrics speak for the rows that have a ground truth. If people send it for few rows, or only for odd ones, the "
    "other rows may be answered better or worse.",
    "line",
)
DELAYS = PanelText(
    "labels",
    "Ground truth and its delay, by day",
    cells.NO_PREDICTIONS,
    "Counts are for the champion. The delay, from the prediction to its ground truth, is for all versions together.",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    span, history = view.span, view.store.history
    labels, volumes = history.labels(span), history.volumes(span)
    days, roles = days_of(volumes), [role for role in ROLE_NAMES if any(each.role == role for each in volumes)]
    matrices = matrices_by(labels, classes_of((), labels), lambda each: (each.day, each.role))
    found = {key: performance(matrix) for key, matrix in matrices.items()}
    with_truth, answered = (cells.counted(rows, "day", "role") for rows in (labels, volumes))
    windows = view.store.windows.between(span.problem, *view.bounds, 1, span.versions)
    return [
        _tested(windows[-1] if windows else None),
        *(_metric(name, days, roles, found) for name in METRICS),
        _coverage(days, roles, with_truth, answered),
        _delays(days, with_truth, answered, {each.day: each for each in history.delays(span)}),
    ]


def days_of(volumes: Sequence[DayVolume]) -> list[date]:
    """Return all days from the first to the last one with predictions."""
    if not volumes:
        return []
    first, last = min(each.day for each in volumes), max(each.day for each in volumes)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _tested(window: WindowRecord | None) -> Panel:
    measured = Evaluation.model_validate(window.evaluation).performance if window else []
    version = f"Version {window.model_version}" if window and window.model_version else "The champion"
    text = PanelText("tested", f"{version} compared with its test rows", NOT_TESTED, TESTED_NOTE)
    now_and_tested = cells.estimate_columns({"value": "Now", "tested": "On the test rows"})
    ends = attrgetter("value", "low", "high", "tested", "tested_low", "tested_high")
    return (
        PanelTable(text, measured)
        .add("text", "span", "Predictions", lambda each: f"Day {each.day}" if each.day else "Newest window")
        .add(
            "text", "measure", "Measure", lambda each: f"Recall of {each.class_name}" if each.class_name else "Accuracy"
        )
        .add("text", "verdict", "Verdict", lambda each: each.verdict)
        .add("integer", "labels", cells.WITH_TRUTH, lambda each: each.labels)
        .columns(now_and_tested, ends)
        .panel()
    )


def _metric(name: str, days: Sequence[date], roles: Sequence[Role], found: Mapping[DayRole, Estimates]) -> Panel:
    mean = "" if name == "accuracy" else "Mean of the classes. "
    note = f"{mean}A day is the day of the predictions, in UTC; the band is the {INTERVAL} interval."
    rows = [[day, *cells.estimate_cells(*(found.get((day, role), {}).get(name) for role in roles))] for day in days]
    return PanelText(IDS[name], f"{cells.METRIC_LABELS[name]} by day", cells.NO_LABELS, note, "line").panel(
        [cells.DAY, *cells.estimate_columns({role: ROLE_NAMES[role] for role in roles})], rows, has_data=bool(found)
    )


def _coverage(
    days: Sequence[date], roles: Sequence[Role], labels: Mapping[DayRole, int], volumes: Mapping[DayRole, int]
) -> Panel:
    return COVERAGE.panel(
        [cells.DAY, *columns("ratio", **{role: ROLE_NAMES[role] for role in roles})],
        ([day, *(cells.share(labels[day, role], volumes[day, role]) for role in roles)] for day in days),
    )


def _delays(
    days: Sequence[date], labels: Mapping[DayRole, int], volumes: Mapping[DayRole, int], delays: Mapping[date, DayDelay]
) -> Panel:
    return (
        PanelTable(DELAYS, days)
        .column(cells.DAY, lambda day: day)
        .add("integer", "predictions", "Predictions", lambda day: volumes[day, "champion"])
        .add("integer", "labels", cells.WITH_TRUTH, lambda day: labels[day, "champion"])
        .add("ratio", "coverage", "Share", lambda day: cells.share(labels[day, "champion"], volumes[day, "champion"]))
        .add(
            "number", "delay", "Mean delay, in seconds", lambda day: delays[day].mean_seconds if day in delays else None
        )
        .panel()
    )
