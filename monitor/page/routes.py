"""The page: a tab as HTML, as JSON, and each of its panels as CSV."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi import Query as InQuery
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from common.error_document import ProblemDetails
from monitor.page.csv_table import as_csv
from monitor.page.data import ModelInfo, ProblemInfo, TabData, known_problems, tab_data
from monitor.page.errors import add_error_handlers
from monitor.page.panels import Query, Tab
from monitor.page.rendering import add_files, render

DAYS = 30  # what is shown unless days are named
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
RANGES = (7, 30, 90)
ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ProblemDetails} for status in (404, 422, 503)}


def _blank(value: Any) -> Any:
    # What a form sends for a field that was left empty.
    return None if value == "" else value


Day = Annotated[date | None, Field(ge=FIRST_DAY, lt=LAST_DAY), BeforeValidator(_blank)]
Version = Annotated[int, Field(ge=1, lt=2**31)]
# PostgreSQL knows no text with a zero.
PredictionId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\x00]*$")]


class Asked(BaseModel):
    """What a URL may ask for."""

    problem: str | None = Field(None, description="the first one by name, or the one at work, unless named")
    since: Day = Field(None, description="first day in UTC; 30 days up to the last one unless named")
    until: Day = Field(None, description="last day in UTC, which is included; today unless named")
    version: list[Version] = Field([], description="versions of the model; all of them unless named")
    id: PredictionId = Field("", description="of a prediction, or how it begins")

    def suffix(self, **other: Any) -> str:
        """Return it as the end of a URL, with some of it replaced."""
        asked = {**self.model_dump(mode="json"), **other}
        query = urlencode({name: value for name, value in asked.items() if value}, doseq=True)
        return f"?{query}" if query else ""


FromUrl = Annotated[Asked, InQuery()]


def add_page(app: FastAPI, tabs: Sequence[Tab]) -> None:
    """Add the page to an application whose state has a `source`, and in `problem` the name of the one at work."""
    add_files(app)
    add_error_handlers(app)
    app.include_router(page_router(tabs))


def page_router(tabs: Sequence[Tab]) -> APIRouter:
    """Return the routes of these tabs; the first is the home page."""
    router = APIRouter()
    by_name = {tab.name: tab for tab in tabs}
    for tab in tabs:
        router.get(_path(tab, tabs), include_in_schema=False)(_page(tab, tabs))

    @router.get("/api/problems", tags=["page"], responses={503: ERRORS[503]})
    def problems(request: Request) -> list[ProblemInfo]:
        """List the problems that have predictions, with their models, versions and days."""
        return known_problems(request.app.state.source)

    @router.get("/api/{tab}", tags=["page"], responses=ERRORS)
    def data(request: Request, tab: str, asked: FromUrl) -> TabData:
        """Return all panels of a tab."""
        return _data(request, _found(by_name, tab), asked, known_problems(request.app.state.source))

    @router.get("/api/{tab}/{panel}.csv", tags=["page"], responses=ERRORS, response_class=Response)
    def table(request: Request, tab: str, panel: str, asked: FromUrl) -> Response:
        """Return the table of a panel as CSV."""
        found = _data(request, _found(by_name, tab), asked, known_problems(request.app.state.source))
        content = as_csv(_found({each.id: each for each in found.panels}, panel))
        name = f"{found.problem}-{tab}-{panel}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, media_type="text/csv; charset=utf-8", headers=headers)

    return router


def _path(tab: Tab, tabs: Sequence[Tab]) -> str:
    # Not below the root, where `/metrics` is Prometheus'.
    return "/" if tab is tabs[0] else f"/tab/{tab.name}"


def _page(tab: Tab, tabs: Sequence[Tab]) -> Callable[..., Response]:
    def page(request: Request, asked: FromUrl) -> Response:
        problems = known_problems(request.app.state.source)
        data = _data(request, tab, asked, problems)
        context = {
            "tabs": [(each, _path(each, tabs)) for each in tabs],
            "tab": tab,
            "path": _path(tab, tabs),
            "data": data,
            "asked": asked,
            "problems": sorted({data.problem, *(each.name for each in problems)}),
            "versions": sorted({*_versions(_models(problems, data.problem)), *data.versions}),
            "ranges": [(days, asked.suffix(**_last(days))) for days in RANGES],
        }
        return render(request, "tab.html", context)

    return page


def _data(request: Request, tab: Tab, asked: Asked, problems: Sequence[ProblemInfo]) -> TabData:
    name = _problem(asked.problem, [each.name for each in problems], request.app.state.problem)
    models = _models(problems, name)
    # Those of another problem, which was shown before, do not count; one that nobody knows finds nothing.
    elsewhere = {version for each in problems if each.name != name for version in _versions(each.models)}
    versions = sorted({*asked.version} - (elsewhere - {*_versions(models)}))
    return tab_data(request.app.state.source, tab, _query(asked, name, versions), models)


def _problem(asked: str | None, known: Sequence[str], at_work: str) -> str:
    if asked and asked not in {*known, at_work}:
        raise HTTPException(404, f"nothing is known of a problem {asked}")
    return asked or (at_work if at_work in known or not known else known[0])


def _query(asked: Asked, problem: str, versions: Sequence[int]) -> Query:
    until = asked.until or datetime.now(UTC).date()
    since = asked.since or until - timedelta(days=DAYS - 1)
    if since > until:
        raise HTTPException(422, f"the first day, {since}, is after the last one, {until}")
    return Query(problem=problem, since=since, until=until, versions=list(versions), id=asked.id)


def _models(problems: Sequence[ProblemInfo], name: str) -> list[ModelInfo]:
    return next((each.models for each in problems if each.name == name), [])


def _versions(models: Sequence[ModelInfo]) -> list[int]:
    return sorted({version for model in models for version in model.versions})


def _last(days: int) -> dict[str, str | None]:
    today = datetime.now(UTC).date()
    return {"since": str(today - timedelta(days=days - 1)), "until": None}


def _found(among: Mapping[str, Any], name: str) -> Any:
    if name not in among:
        raise HTTPException(404, f"there is no {name}: there are {', '.join(among)}")
    return among[name]
