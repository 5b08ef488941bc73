"""What all dashboards have in common: their look, the choice of the problem, versions as marks, links to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana.panels import BAD, CHAMPION, Panel
from grafana.queries import PROMETHEUS

TAG = "closed-loop-mlops-lab"
MARK_STEP = "15s"

# The api's targets name their problem from the start, the monitor those that no api runs for.
PROBLEMS = 'label_values({__name__=~"up|logged_predictions_total", problem!=""}, problem)'

NEW_CHAMPION = """
max by (model_version) (model_info{problem="$problem", role="champion"})
and on () (sum(changes(served_model_version{problem="$problem", role="champion"}[$__rate_interval])) > 0)
""".strip()
FIRING = 'max by (alertname) (ALERTS{alertstate="firing", problem=~"$problem|"})'


@dataclass(frozen=True)
class Section:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


class Marks(AnnotationQuery):
    """Marks in all panels where a query has a value.

    The dashboard's schema leaves open what a data source adds: the titles and, where Grafana 11 reads `expr` and
    `step`, the query that Grafana 12 reads instead.
    """

    def __init__(self, name: str, expr: str, title: str, color: str) -> None:
        """Mark the moments when `expr` is above 0; `title` has `{{label}}` for the value of a label."""
        super().__init__(name=name, datasource=PROMETHEUS, icon_color=color, expr=expr)
        self.title = title

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads."""
        target = {"refId": "Anno", "expr": self.expr, "interval": MARK_STEP, "range": True}
        return super().to_json() | {"titleFormat": self.title, "step": MARK_STEP, "target": target}


def frame(uid: str, title: str, description: str, sections: Sequence[Section]) -> Dashboard:
    """Return a dashboard of these sections; `uid` is what addresses it."""
    board = build.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly().timezone("browser")
    board = board.time("now-30m", "now").refresh("5s").tooltip(DashboardCursorSync.CROSSHAIR)
    board = board.with_variable(_problem()).link(_links())
    for section in sections:
        board = board.with_row(build.Row(section.title))
        for panel in section.panels:
            board = board.with_panel(panel)
    return _completed(board.build())


def _completed(board: Dashboard) -> Dashboard:
    champions = Marks("new champion", NEW_CHAMPION, "version {{model_version}} is champion", CHAMPION)
    board.annotations = AnnotationContainer([champions, Marks("alert", FIRING, "{{alertname}}", BAD)])
    # Panels without numbers get new ones whenever Grafana reads them, and links to single panels break.
    for number, panel in enumerate(board.panels or (), start=1):
        panel.id_val = number
    return board


def _problem() -> build.QueryVariable:
    variable = build.QueryVariable("problem").label("problem").datasource(PROMETHEUS).query(PROBLEMS)
    variable = variable.description("whose predictions").sort(VariableSort.ALPHABETICAL_ASC).multi(multi=False)
    variable = variable.include_all(include_all=False).refresh(VariableRefresh.ON_DASHBOARD_LOAD)
    return variable.current(VariableOption(selected=True, text="iris", value="iris"))


def _links() -> build.DashboardLink:
    link = build.DashboardLink("dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(include_vars=True).keep_time(keep_time=True)
