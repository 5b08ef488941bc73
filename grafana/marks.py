"""The marks on all dashboards: vertical lines at the times when something happened, each kind with a switch of its own.

The timeline on the monitor's page has the same events from the store. These come from Prometheus alone.
"""

from collections.abc import Sequence

from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from grafana.panels import BAD, CHAMPION, GOOD, WATCH
from grafana.queries import PROMETHEUS

MARK_STEP = "15s"


class Marks(AnnotationQuery):
    """Vertical lines in all panels at the times when a query has a value.

    The schema of a dashboard leaves the fields of the data source open. Here these are the titles, `expr` and `step`
    for Grafana 11, and `target` for Grafana 12.
    """

    def __init__(self, name: str, expr: str, title: str, color: str) -> None:
        """Mark the times when `expr` is above 0; in `title`, `{{label}}` stands for the value of a label."""
        super().__init__(name=name, datasource=PROMETHEUS, icon_color=color, expr=expr)
        self.title = title

    def to_json(self) -> dict[str, object]:
        """Return the JSON for Grafana."""
        target = {"refId": "Anno", "expr": self.expr, "interval": MARK_STEP, "range": True}
        return super().to_json() | {"titleFormat": self.title, "step": MARK_STEP, "target": target}


def _became_champion(how: str) -> str:
    """Return when a version became champion in this way; the series begins with its first version."""
    series = f'champion_changes{{how="{how}"}}'
    more = f"changes({series}[$__rate_interval]) > 0"
    first = f'{series} unless {series} offset 1m and on () (up{{job="monitor"}} offset 1m) > 0'
    return f'(({more}) or ({first})) and on (model_name) logged_predictions_total{{problem="$problem"}}'


NEW_CHAMPION = """
max by (model_version) (model_info{problem="$problem", role="champion"})
and on () (sum(changes(served_model_version{problem="$problem", role="champion"}[$__rate_interval])) > 0)
""".strip()
REFUSED = 'sum(increase(judgements_total{problem="$problem", verdict="refused"}[$__rate_interval])) > 0'
TAKEN = 'sum(delta(suggestions{problem="$problem"}[$__rate_interval])) > 0'
QUARANTINED = 'sum(delta(review_queue_corrections{problem="$problem"}[$__rate_interval])) > 0'
DRIFT = 'max by (subject) (window_drift_verdict{problem="$problem"}) > 0'
FIRING = 'max by (alertname) (ALERTS{alertstate="firing", problem=~"$problem|"})'


def marks() -> Sequence[Marks]:
    """Return the marks of a dashboard, in the order of their switches."""
    return [
        Marks("version served", NEW_CHAMPION, "version {{model_version}} serves", CHAMPION),
        Marks("promoted", _became_champion("promoted"), "a version was promoted", GOOD),
        Marks("rolled back", _became_champion("rolled_back"), "a version was rolled back", WATCH),
        Marks("refused", REFUSED, "the gate refused a version", WATCH),
        Marks("corrections taken", TAKEN, "corrections came in", CHAMPION),
        Marks("corrections quarantined", QUARANTINED, "corrections went into quarantine", WATCH),
        Marks("drift", DRIFT, "{{subject}} drifts", BAD),
        Marks("alert", FIRING, "{{alertname}}", BAD),
    ]
