"""Tab *Metrics by class*: the metrics of each class, and the classes that it is confused with."""

from collections.abc import Iterator, Sequence

from common.evaluate import classes_of, matrix_of
from common.store.monitoring.history import DayLabels
from common.store.statistics import LabelSum
from common.store.tables import Role
from monitor.page.panels import Panel, PanelText, columns
from monitor.page.tabs.cells import CLASS, DAY, NO_LABELS, WITH_TRUTH, class_columns, metric_cells, metric_columns
from monitor.page.view import ROLE_NAMES, View
from monitor.statistics.estimates import CLASS_METRICS, INTERVAL, class_performance, matrices_by

IDS: dict[Role, str] = {"champion": "champion", "shadow": "challenger"}  # in the URLs of the tables
MOST_DAYS, MOST_ROWS = 31, 400
BY_DAY = PanelText(
    "by-day",
    "Metrics by day and class",
    NO_LABELS,
    f"The newest {MOST_DAYS} days at most. A day is the day of the predictions, in UTC.",
)


def build(view: View) -> list[Panel]:
    """Return the champion's panels, the challenger's if it has labels, and both by day."""
    labels = view.store.history.labels(view.span)
    classes = classes_of(view.classes, labels)
    return [*(panel for role in ROLE_NAMES for panel in _of_role(role, labels, classes)), _by_day(labels, classes)]


def _of_role(role: Role, labels: Sequence[LabelSum], classes: Sequence[str]) -> Iterator[Panel]:
    mine = [each for each in labels if each.role == role]
    if not mine and role != "champion":
        return
    matrix = matrix_of(mine, classes)
    note = f"Each class against the rest, with {INTERVAL} intervals; no bar where the denominator is zero."
    bars = PanelText(IDS[role], f"{ROLE_NAMES[role]}: metrics by class", NO_LABELS, note, "bars")
    found = zip(classes, class_performance(matrix), strict=True)
    rows = [[name, *metric_cells(metrics, CLASS_METRICS)] for name, metrics in found]
    yield bars.panel([CLASS, *metric_columns(CLASS_METRICS)], rows, has_data=bool(mine))
    title, note = f"{ROLE_NAMES[role]}: confusion matrix", "Rows are true classes, columns are predicted classes."
    counts = [[name, *row] for name, row in zip(classes, matrix.tolist(), strict=True)]
    yield PanelText(f"{IDS[role]}-confusion", title, NO_LABELS, note, "matrix").panel(
        [*columns("text", **{"class": "True class"}), *class_columns(classes)], counts, has_data=bool(mine)
    )


def _by_day(labels: Sequence[DayLabels], classes: Sequence[str]) -> Panel:
    most = max(1, min(MOST_DAYS, MOST_ROWS // max(1, len(classes) * len(ROLE_NAMES))))
    newest = sorted({each.day for each in labels})[-most:]
    matrices = matrices_by((each for each in labels if each.day in newest), classes, lambda each: (each.day, each.role))
    return BY_DAY.panel(
        [
            DAY,
            *columns("text", place="Role"),
            CLASS,
            *columns("integer", labels=WITH_TRUTH),
            *metric_columns(CLASS_METRICS),
        ],
        (
            [day, ROLE_NAMES[role], name, int(counts.sum()), *metric_cells(found, CLASS_METRICS)]
            for (day, role), matrix in sorted(matrices.items())
            for name, found, counts in zip(classes, class_performance(matrix), matrix, strict=True)
        ),
    )
