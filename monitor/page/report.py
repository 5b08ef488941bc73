"""Pages without tabs: the words, and a report of one page for paper.

The report is the overview's own timeline and panels, cut to a number of rows that fits on one sheet of A4.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.page.aids import vocabulary
from monitor.page.data import TabData
from monitor.page.panels import Panel
from monitor.page.query import FromUrl, PageQuery
from monitor.page.rendering import render

MOST_ROWS = 3  # of a table on paper
ON_SCREEN = ("where", "ended")  # columns that paper has no use for: a link, and the end of an open alert
PANELS = ("status", "metrics", "counts", "alerts", "served")


def paper_pages(overview: Callable[[Request, PageQuery], tuple[TabData, Mapping[str, Any]]]) -> APIRouter:
    """Return the routes; `overview` reads the overview for a query: its data, and the variables of its timeline."""
    router = APIRouter(include_in_schema=False)

    @router.get("/words")
    def words(request: Request) -> Response:
        """Explain the statistics of the pages and the words of the lab."""
        return render(request, "words.html", {"vocabulary": vocabulary()})

    @router.get("/report")
    def report(request: Request, asked: FromUrl) -> Response:
        """Return the overview of a time as one page to print."""
        data, timeline = overview(request, asked)
        panels = {panel.id: cut(panel) for panel in data.panels}
        shown = [panels[name] for name in PANELS if name in panels]
        return render(request, "report.html", {**timeline, "data": data, "panels": shown, "asked": asked})

    return router


def cut(panel: Panel) -> Panel:
    """Return a panel for paper: the first rows, those that are not folded, and a note on the rest."""
    shown = panel.folded.after if panel.folded else len(panel.rows)
    kept = min(shown, MOST_ROWS)
    left = len(panel.rows) - kept
    note = f"{left} more on the page." if left else ""
    if panel.drawing in {"steps", "figures"}:
        return panel
    columns = [
        column.model_copy(update={"only_csv": column.only_csv or column.name in ON_SCREEN}) for column in panel.columns
    ]
    rows = {"columns": columns, "rows": panel.rows[:kept], "levels": panel.levels[:kept], "folded": None, "note": note}
    return panel.model_copy(update=rows)
