"""Tab *Samples by class*: the champion's predictions by predicted class and by true class."""

from collections.abc import Mapping, Sequence
from datetime import date

from common.evaluate import classes_of
from monitor.page.panels import Panel, PanelText, Rows, columns
from monitor.page.tabs.cells import CLASS, DAY, NO_LABELS, NO_PREDICTIONS, class_columns, counted
from monitor.page.tabs.metrics import days_of
from monitor.page.view import View, of_champion

DAY_NOTE = "A day is the day of the predictions, in UTC."
PREDICTED = PanelText(
    "predicted", "Predicted classes", NO_PREDICTIONS, "The classes that the champion has predicted.", "pie"
)
TRUE = PanelText("validated", "True classes", NO_LABELS, "The right classes, for predictions with ground truth.", "pie")
PREDICTED_BY_DAY = PanelText("predicted-by-day", "Predicted classes by day", NO_PREDICTIONS, DAY_NOTE, "stacked")
TRUE_BY_DAY = PanelText("validated-by-day", "True classes by day", NO_LABELS, DAY_NOTE, "stacked")

Counts = Mapping[tuple[date, str], int]


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    volumes = of_champion(view.store.history.volumes(view.span))
    labels = of_champion(view.store.history.labels(view.span))
    predicted, true = counted(volumes, "day", "class_name"), counted(labels, "day", "true_class")
    classes = classes_of(view.classes, labels, *(each.class_name for each in volumes))
    days = days_of(volumes)
    return [
        _pie(PREDICTED, classes, predicted),
        _pie(TRUE, classes, true),
        _by_day(PREDICTED_BY_DAY, days, classes, predicted),
        _by_day(TRUE_BY_DAY, days, classes, true),
    ]


def _pie(text: PanelText, classes: Sequence[str], counts: Counts) -> Panel:
    totals = dict.fromkeys(classes, 0)
    for (_, class_name), count in counts.items():
        totals[class_name] += count
    return text.panel([CLASS, *columns("integer", samples="Samples")], totals.items(), has_data=any(totals.values()))


def _by_day(text: PanelText, days: Sequence[date], classes: Sequence[str], counts: Counts) -> Panel:
    rows: Rows = [[day, *(counts.get((day, name), 0) for name in classes)] for day in days]
    return text.panel([DAY, *class_columns(classes)], rows, has_data=bool(counts))
