"""Routes of the page: each tab as HTML and as JSON, and each panel as CSV."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from common.error_document import ProblemDetails
from common.store.trust.replays import ReplaySpan
from monitor.page import form_routes
from monitor.page.csv_table import as_csv
from monitor.page.data import ProblemInfo, TabData, known_problems, tab_data
from monitor.page.errors import add_error_handlers
from monitor.page.forms import PageForm
from monitor.page.lineage import lineage_pages
from monitor.page.panels import Tab
from monitor.page.prediction_filter import PredictionFilter
from monitor.page.query import FromUrl, PageQuery, PredictionId
from monitor.page.rendering import add_files, render
from monitor.page.replays import changed_answers, start_replay
from monitor.page.report import paper_pages
from monitor.page.timeline.asked import asked_time
from monitor.page.timeline.shown import strip
from monitor.page.timeline.timeline import TimelineData, timeline_of
from monitor.page.view import Backends, Selection, View

ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ProblemDetails} for status in (404, 422, 503)}


def add_page(app: FastAPI, tabs: Sequence[Tab]) -> None:
    """Add the page to an application whose state has `backends`, and in `problem` the configured problem."""
    add_files(app)
    add_error_handlers(app)
    app.include_router(page_router(tabs))
    app.include_router(form_routes.router)
    app.include_router(paper_pages(lambda request, asked: _overview(request, tabs[0], asked)))
    app.include_router(lineage_pages([(each, _path(each, tabs)) for each in tabs]))


def page_router(tabs: Sequence[Tab]) -> APIRouter:
    """Return the routes of these tabs; the first is the home page."""
    router = APIRouter()
    by_name = {tab.name: tab for tab in tabs}
    for tab in tabs:
        router.get(_path(tab, tabs), include_in_schema=False)(_page(tab, tabs))

    @router.get("/api/problems", tags=["page"], responses={503: ERRORS[503]})
    def problems(request: Request) -> list[ProblemInfo]:
        """List the problems that have predictions, with their models, versions and days."""
        return known_problems(request.app.state.backends)

    @router.get("/api/{tab}", tags=["page"], responses=ERRORS)
    def data(request: Request, tab: str, asked: FromUrl) -> TabData:
        """Return all panels of a tab."""
        return _data(request, _found(by_name, tab), asked, known_problems(request.app.state.backends, asked.version))

    @router.get("/api/{tab}/{panel}.csv", tags=["page"], responses=ERRORS, response_class=Response)
    def table(request: Request, tab: str, panel: str, asked: FromUrl) -> Response:
        """Return the table of a panel as CSV."""
        found = _data(request, _found(by_name, tab), asked, known_problems(request.app.state.backends, asked.version))
        content = as_csv(_found({each.id: each for each in found.panels}, panel))
        return _csv(f"{found.problem}-{tab}-{panel}.csv", content)

    @router.get("/timeline.json", tags=["page"], responses=ERRORS)
    def timeline(request: Request, asked: FromUrl) -> TimelineData:
        """Return the predictions, accuracies and events of the strip above every tab."""
        return _timeline(request, asked)

    @router.get("/{panel}.csv", tags=["page"], responses=ERRORS, response_class=Response)
    def timeline_table(request: Request, panel: str, asked: FromUrl) -> Response:
        """Return a table of the timeline as CSV: timeline, timeline-accuracy or timeline-events."""
        found = _timeline(request, asked)
        return _csv(f"{found.problem}-{panel}.csv", as_csv(_found({each.id: each for each in found.panels}, panel)))

    @router.post("/replays", include_in_schema=False)
    async def replay(request: Request, asked: FromUrl) -> Response:
        """Start a replay of the selected days, and show the tab again."""
        form = await PageForm.read(request)
        await asyncio.to_thread(_start_replay, request, form, asked)
        return RedirectResponse(f"/tab/comparison{asked.suffix()}#replay", 303)

    @router.get("/replays/{replay_id}.csv", include_in_schema=False)
    def replayed(request: Request, replay_id: PredictionId) -> Response:
        """Return the changed answers of a replay as CSV."""
        backends: Backends = request.app.state.backends
        return _csv(*changed_answers(backends.store, replay_id, trusted_only=backends.trusted_only))

    return router


def _timeline(request: Request, asked: PageQuery) -> TimelineData:
    backends: Backends = request.app.state.backends
    chosen = _asked_selection(request, asked, known_problems(backends, asked.version))
    return timeline_of(View(backends, chosen)).data()


def _start_replay(request: Request, form: PageForm, asked: PageQuery) -> None:
    backends: Backends = request.app.state.backends
    name = _problem(asked.problem, [each.name for each in known_problems(backends)], request.app.state.problem)
    view = View(backends, _selection(asked, name, []))
    start_replay(backends.store, form, ReplaySpan(name, *view.bounds))


def _csv(name: str, content: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _path(tab: Tab, tabs: Sequence[Tab]) -> str:
    # Tabs are not directly below the root, because `/metrics` belongs to Prometheus.
    return "/" if tab is tabs[0] else f"/tab/{tab.name}"


def _page(tab: Tab, tabs: Sequence[Tab]) -> Callable[..., Response]:
    def page(request: Request, asked: FromUrl) -> Response:
        backends: Backends = request.app.state.backends
        problems = known_problems(backends, asked.version)
        selection = _asked_selection(request, asked, problems)
        data = tab_data(backends, tab, selection)
        context = {
            "tabs": [(each, _path(each, tabs)) for each in tabs],
            "tab": tab,
            "path": _path(tab, tabs),
            "data": data,
            "asked": asked,
            "problems": sorted({data.problem, *(each.name for each in problems)}),
            "versions": sorted({*_versions(problems).get(data.problem, ()), *data.versions}, reverse=True),
            **strip(backends, data, selection, asked),
        }
        return render(request, "tab.html", context)

    return page


def _overview(request: Request, tab: Tab, asked: PageQuery) -> tuple[TabData, Mapping[str, Any]]:
    backends: Backends = request.app.state.backends
    selection = _asked_selection(request, asked, known_problems(backends, asked.version))
    data = tab_data(backends, tab, selection)
    return data, strip(backends, data, selection, asked)


def _data(request: Request, tab: Tab, asked: PageQuery, problems: Sequence[ProblemInfo]) -> TabData:
    return tab_data(request.app.state.backends, tab, _asked_selection(request, asked, problems))


def _asked_selection(request: Request, asked: PageQuery, problems: Sequence[ProblemInfo]) -> Selection:
    name = _problem(asked.problem, [each.name for each in problems], request.app.state.problem)
    # The form may still have versions of the problem that was shown before: these are ignored. An unknown version
    # selects nothing.
    known = _versions(problems)
    own = known.pop(name, set())
    versions = sorted({*asked.version} - (set().union(*known.values()) - own))
    return _selection(asked, name, versions)


def _problem(asked: str | None, known: Sequence[str], configured: str) -> str:
    if asked and asked not in {*known, configured}:
        raise HTTPException(404, f"the problem {asked} is unknown")
    return asked or (configured if configured in known or not known else known[0])


def _selection(asked: PageQuery, problem: str, versions: Sequence[int]) -> Selection:
    time = asked_time(asked, datetime.now(UTC))
    found = asked.model_dump(include={"id", "rule", "correction"})
    narrowed = PredictionFilter(**asked.model_dump(include=set(PredictionFilter.model_fields)))
    return Selection(problem=problem, **time, **found, versions=list(versions), page=asked.page or 1, filter=narrowed)


def _versions(problems: Sequence[ProblemInfo]) -> dict[str, set[int]]:
    return {each.name: {version for model in each.models for version in model.versions} for each in problems}


def _found(among: Mapping[str, Any], name: str) -> Any:
    if name not in among:
        raise HTTPException(404, f"{name} does not exist; there are {', '.join(among)}")
    return among[name]
