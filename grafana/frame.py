"""The frame of all dashboards: the choice of the problem, marks of events, links to each other and to the monitor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana import limits
from grafana.marks import marks
from grafana.panels import DashboardPanel
from grafana.queries import PROMETHEUS

DESCRIPTIONS = Path(__file__).with_name("descriptions.md")
TAG = "closed-loop-mlops-lab"
# The monitor's page, unless the reader of a dashboard writes another address into its field.
MONITOR = "http://localhost:5004"

# The targets of the apis name their problem; the monitor's metrics name problems without a running api.
PROBLEMS = 'label_values({__name__=~"up|logged_predictions_total", problem!=""}, problem)'


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


def frame(uid: str, title: str, description: str, sections: Sequence[Section], pages: Mapping[str, str]) -> Dashboard:
    """Return a dashboard of these sections.

    Args:
        uid: its id in Grafana's addresses.
        title: its title.
        description: the question that it answers.
        sections: its rows.
        pages: titles of links, each with the tab of the monitor's page that shows the same as it is now.
    """
    board = build.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly().timezone("browser")
    board = board.time("now-30m", "now").refresh("5s").tooltip(DashboardCursorSync.CROSSHAIR)
    board = board.with_variable(_problem()).with_variable(_monitor()).link(_links())
    for name, path in pages.items():
        board = board.link(_monitor_link(name, path))
    for section in sections:
        board = board.with_row(build.Row(section.title))
        for panel, width in zip(section.panels, cycle(section.widths), strict=False):
            board = board.with_panel(panel.span(width).height(section.height))
    built, texts = board.build(), descriptions(title)
    built.annotations = AnnotationContainer(list(marks()))
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


def _monitor() -> build.TextBoxVariable:
    variable = build.TextBoxVariable("monitor").label("monitor's page").default_value(MONITOR)
    return variable.description("the address that the links to the monitor's page begin with")


def _monitor_link(name: str, path: str) -> build.DashboardLink:
    link = build.DashboardLink(name).type(DashboardLinkType.LINK).url(f"${{monitor}}{path}?problem=${{problem}}")
    return link.tooltip("the same as it is now, with intervals, on the monitor's page").target_blank(target_blank=True)


def _links() -> build.DashboardLink:
    link = build.DashboardLink("dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(include_vars=True).keep_time(keep_time=True)
