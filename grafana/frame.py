"""The frame of all dashboards: the choice of the problem, marks of new champions and alerts, links to each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana import limits
from grafana.panels import BAD, CHAMPION, DashboardPanel
from grafana.queries import PROMETHEUS

DESCRIPTIONS = Path(__file__).with_name("descriptions.md")
TAG = "closed-loop-mlops-lab"
MARK_STEP = "15s"

# The targets of the apis name their problem; the monitor's metrics name problems without a running api.
PROBLEMS = 'label_values({__name__=~"up|logged_predictions_total", problem!=""}, problem)'

NEW_CHAMPION = """
max by (model_version) (model_info{problem="$problem", role="champion"})
and on () (sum(changes(served_model_version{problem="$problem", role="champion"}[$__rate_interval])) > 0)
""".strip()
FIRING = 'max by (alertname) (ALERTS{alertstate="firing", problem=~"$problem|"})'


@dataclass(frozen=True)
class Section:
    """A row of panels with its title.

    Attributes:
        widths: the number of columns of each panel, of the 24 of a dashboard; repeated for further panels.
        height: the number of Grafana's grid lines.
    """

    title: str
    panels: Sequence[DashboardPanel]
    widths: Sequence[int] = (8,)
    height: int = 8


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


def frame(uid: str, title: str, description: str, sections: Sequence[Section]) -> Dashboard:
    """Return a dashboard of these sections; `uid` is its id in Grafana's addresses."""
    board = build.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly().timezone("browser")
    board = board.time("now-30m", "now").refresh("5s").tooltip(DashboardCursorSync.CROSSHAIR)
    board = board.with_variable(_problem()).link(_links())
    for section in sections:
        board = board.with_row(build.Row(section.title))
        for panel, width in zip(section.panels, cycle(section.widths), strict=False):
            board = board.with_panel(panel.span(width).height(section.height))
    built, texts = board.build(), descriptions(title)
    champions = Marks("new champion", NEW_CHAMPION, "version {{model_version}} is champion", CHAMPION)
    built.annotations = AnnotationContainer([champions, Marks("alert", FIRING, "{{alertname}}", BAD)])
    # Grafana gives panels without an id a new one at each start, which would break links to single panels.
    for number, each in enumerate(built.panels or (), start=1):
        each.id_val = number
        if isinstance(each, Panel):
            each.description = texts[each.title or ""]
    return built


def descriptions(dashboard: str) -> dict[str, str]:
    """Return the descriptions of a dashboard's panels by the panels' titles, with the limits filled in."""
    section = DESCRIPTIONS.read_text(encoding="utf-8").partition(f"\n# {dashboard}\n")[2].partition("\n# ")[0]
    panels = (panel.partition("\n") for panel in section.split("\n## ")[1:])
    return {title: " ".join(text.format_map(vars(limits)).split()) for title, _, text in panels}


def _problem() -> build.QueryVariable:
    variable = build.QueryVariable("problem").label("problem").datasource(PROMETHEUS).query(PROBLEMS)
    variable = variable.description("the problem whose predictions are shown").sort(VariableSort.ALPHABETICAL_ASC)
    variable = variable.multi(multi=False).include_all(include_all=False).refresh(VariableRefresh.ON_DASHBOARD_LOAD)
    return variable.current(VariableOption(selected=True, text="iris", value="iris"))


def _links() -> build.DashboardLink:
    link = build.DashboardLink("dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(include_vars=True).keep_time(keep_time=True)
