"""Tab *Overview*: predictions, their quality, open alerts, and the versions that serve."""

from collections.abc import Sequence

from common.evaluate import classes_of, matrix_of
from common.store.monitoring.alerts import Alert
from common.store.statistics import LabelSum, VolumeSum
from monitor.page.panels import Panel, PanelTable, PanelText, Rows, columns
from monitor.page.tabs import cells
from monitor.page.view import ROLE_NAMES, View, of_champion
from monitor.statistics.estimates import INTERVAL, METRICS, performance

MOST_ALERTS = 50
COUNTS = PanelText(
    "counts",
    "Predictions and ground truth",
    cells.NO_PREDICTIONS,
    "All predictions of these days that were answered as champion, by any version.",
    "figures",
)
METRICS_TEXT = PanelText(
    "metrics",
    "Quality of the predictions",
    cells.NO_LABELS,
    f"With {INTERVAL} intervals: Wilson's for the accuracy; for the means of precision and recall, the interval of a "
    "sum of independent shares; for the mean of F1, whose classes share rows, an interval that is rather too wide.",
    "figures",
)
ALERTS = PanelText(
    "alerts", "Open alerts", "No alert is open.", "All alerts that are open now, whatever days are selected."
)
HISTORY = PanelText(
    "history",
    "Alerts of these days",
    "No alert was open in these days.",
    f"The newest {MOST_ALERTS} alerts at most, open and ended.",
)
SERVED = PanelText(
    "served",
    "Served versions",
    "No version has answered. Register one: make train, or python main.py.",
    "The challenger answers the same rows for comparison; clients do not receive its answers.",
)
CHAMPIONS = PanelText(
    "champions",
    "Champions of these days",
    "No version became champion in these days. Train one: make train, or python main.py.",
    "Since when each version was champion, how it became that, and the judge's reason if nobody but the judge did it.",
)
UNSERVED = PanelText(
    "unserved",
    "Versions that do not serve",
    "No version is refused, and none waits for a promotion. Make another: make train, or python main.py.",
    "Versions that the api refuses now, and a newer version that nobody has promoted.",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    # The monitor's own alerts count, too: a failing job hides bad news.
    alerts = [*view.store.alerts.open(view.span.problem), *view.store.alerts.open("")]
    past = view.store.alerts.between(view.span.problem, *view.bounds, MOST_ALERTS)
    about = columns("text", kind="Kind", subject="Subject", message="Message")
    return [
        _counts(of_champion(view.label_sums), of_champion(view.volume_sums), len(alerts)),
        _metrics(of_champion(view.label_sums)),
        ALERTS.panel([*columns("moment", since="Since"), *about], ([each.began_at, *_about(each)] for each in alerts)),
        _served(view),
        _champions(view),
        UNSERVED.panel(
            [cells.VERSION, *columns("text", reason="Reason")],
            (
                [view.version_link(each.version), each.reason]
                for each in view.backends.references.unserved(view.span.problem)
            ),
        ),
        HISTORY.panel(
            [*columns("moment", began="From", ended="To"), *about],
            ([each.began_at, each.ended_at, *_about(each)] for each in past),
        ),
    ]


def _about(alert: Alert) -> list[str]:
    return [alert.kind.replace("_", " "), alert.subject, alert.message]


def _counts(labels: Sequence[LabelSum], volumes: Sequence[VolumeSum], alerts: int) -> Panel:
    predictions, outliers = sum(each.predictions for each in volumes), sum(each.outliers for each in volumes)
    with_truth = sum(each.labels for each in labels)
    rows: Rows = [
        ["Predictions", predictions, None, None, "answered as champion"],
        [cells.WITH_TRUTH, with_truth, None, None, f"{cells.percent(with_truth, predictions)} of the predictions"],
        ["Outliers", outliers, None, None, f"{cells.percent(outliers, predictions)} of the predictions"],
        ["Open alerts", alerts, None, None, "now"],
    ]
    return COUNTS.panel(cells.figures("integer"), rows, has_data=bool(predictions or alerts))


def _metrics(labels: Sequence[LabelSum]) -> Panel:
    found = performance(matrix_of(labels, classes_of((), labels)))
    remarks = {"accuracy": f"of {sum(each.labels for each in labels)} predictions with ground truth"}
    rows: Rows = [
        [cells.METRIC_LABELS[name], *cells.estimate_cells(found[name]), remarks.get(name, "mean of the classes")]
        for name in METRICS
    ]
    return METRICS_TEXT.panel(cells.figures("ratio"), rows, has_data=bool(labels))


def _served(view: View) -> Panel:
    rows = []
    answered, with_truth = (
        cells.counted(sums, "role", "model_version") for sums in (view.volume_sums, view.label_sums)
    )
    for role, version in view.served.by_role():
        since, how = view.champion_since.get(version, (None, None)) if role == "champion" else (None, None)
        totals = answered[role, version], with_truth[role, version]
        rows.append([ROLE_NAMES[role], view.version_link(version), since, how, *totals])
    became = [*columns("moment", since="Champion since"), *columns("text", how="How")]
    counts = columns("integer", predictions="Predictions", labels=cells.WITH_TRUTH)
    return SERVED.panel([*columns("text", role="Role"), cells.VERSION, *became, *counts], rows)


def _champions(view: View) -> Panel:
    since, until = view.bounds
    periods = [
        each
        for each in reversed(view.store.champions.history(view.span.model_name))
        if since <= each.since < until and (not view.span.versions or each.model_version in view.span.versions)
    ]
    return (
        PanelTable(CHAMPIONS, periods)
        .add("moment", "since", "Since", lambda each: each.since)
        .column(cells.VERSION, lambda each: view.version_link(each.model_version))
        .add("text", "how", "How", lambda each: each.how)
        .add("text", "because", "Because", lambda each: each.because)
        .panel()
    )
