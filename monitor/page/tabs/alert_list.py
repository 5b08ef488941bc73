"""The alerts on the overview: each once, the open ones first, the worst on top, and those that are over folded."""

from collections.abc import Sequence
from urllib.parse import urlencode

from common.store.monitoring.alerts import Alert
from monitor.page.findings import Level
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.situation import alert_level
from monitor.page.table_parts import Folded
from monitor.page.tabs import cells
from monitor.page.view import View
from monitor.statistics.breaches import (
    ACCURACY,
    DRIFT,
    FEATURE_MEAN,
    MANY_QUARANTINED,
    OUTLIERS,
    RECALL,
    REVIEWS_WAITING,
)

MOST_ALERTS = 50
ALERTS = PanelText(
    "alerts",
    "Alerts",
    "No alert was open in the chosen time.",
    f"Open alerts first, whatever time is chosen, the worst on top; then the newest {MOST_ALERTS} of the chosen time.",
)
LEVEL_WORDS: dict[Level, str] = {"bad": "act now", "watch": "look at it", "good": "good", "unknown": "not known"}
OVER = "over"
# The tab that shows more about an alert of each kind.
PLACES: dict[str, tuple[str, str, dict[str, str], str]] = {
    ACCURACY: ("Metrics by class", "classes", {}, ""),
    RECALL: ("Metrics by class", "classes", {}, ""),
    DRIFT: ("Drift", "drift", {}, ""),
    FEATURE_MEAN: ("Drift", "drift", {}, ""),
    OUTLIERS: ("Outliers", "predictions", {"only": "outlier"}, ""),
    REVIEWS_WAITING: ("Corrections to review", "corrections", {}, "#quarantined"),
    MANY_QUARANTINED: ("Corrections to review", "corrections", {}, "#quarantined"),
}


def alert_list(view: View, alerts: Sequence[Alert]) -> Panel:
    """Return the panel of the open `alerts`, which are sorted, and of those that are over."""
    past = view.store.alerts.between(view.selection.problem, *view.bounds, MOST_ALERTS)
    over = [each for each in past if each.ended_at]
    shown = [*alerts, *over]
    panel = (
        PanelTable(ALERTS, shown)
        .add("text", "severity", "Severity", _severity)
        .add("text", "message", "What is wrong", lambda each: f"{each.message[:1].upper()}{each.message[1:]}")
        .add("moment", "began", "Since", lambda each: each.began_at)
        .add("moment", "ended", "Until", lambda each: each.ended_at)
        .add("link", "where", "Where to look", _where)
        .columns(
            cells.only_csv(columns("text", kind="Kind", subject="Subject")), lambda each: [each.kind, each.subject]
        )
        .panel()
    )
    panel.levels = ["unknown" if each.ended_at else alert_level(each) for each in shown]
    if over:
        panel.folded = Folded(after=len(alerts), summary=f"{len(over)} that {'is' if len(over) == 1 else 'are'} over")
    return panel


def _where(alert: Alert) -> str | None:
    if alert.kind not in PLACES:
        return None
    words, tab, query, anchor = PLACES[alert.kind]
    return f"{words}|/tab/{tab}?{urlencode({'problem': alert.problem, **query})}{anchor}"


def _severity(alert: Alert) -> str:
    return OVER if alert.ended_at else LEVEL_WORDS[alert_level(alert)]
