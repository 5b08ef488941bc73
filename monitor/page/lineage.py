"""The pages of lineage: a picture of where an answer, a version or a correction comes from, and the facts below it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import StringConstraints

from monitor.page.lineage_picture import picture_of_correction, picture_of_prediction, picture_of_version
from monitor.page.lineage_tables import answers, corrections, facts_of_correction, facts_of_prediction, facts_of_version
from monitor.page.panels import Tab
from monitor.page.rendering import render
from monitor.page.view import Backends
from trust.lineage.asking import ErasedError, Model, Page, Registered, logged, registered
from trust.lineage.tracing import is_known, of_correction, of_prediction, of_version

ROWS = 50  # corrections on one page
Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Path(ge=1, lt=2**31)]
Problem = Annotated[str | None, StringConstraints(max_length=64, pattern=r"^[^\x00]*$"), Query()]
After = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$"), Query()]


def lineage_pages(tabs: Sequence[tuple[Tab, str]]) -> APIRouter:
    """Return the routes of the pages; `tabs` have their paths."""
    router = APIRouter(prefix="/lineage", include_in_schema=False)

    def page(request: Request, name: str, **context: Any) -> Response:
        return render(request, "lineage.html", {"tabs": tabs, "problem": name, **context})

    @router.get("/predictions/{prediction_id}")
    async def prediction(request: Request, prediction_id: Id) -> Response:
        """Show where the answers of a prediction come from."""
        store = _backends(request).store
        try:
            its_log = await asyncio.to_thread(logged, store, prediction_id)
        except ErasedError as error:
            raise HTTPException(410, str(error)) from error
        if its_log is None:
            raise HTTPException(404, f"there is no prediction {prediction_id}")
        asked = await _ask(request, its_log.model.name, its_log.versions)
        found = await asyncio.to_thread(of_prediction, store, its_log, asked, Page(ROWS))
        problem = its_log.model.problem
        tables = [corrections("named", "Corrections that name it", problem, found.corrections)]
        return page(
            request,
            problem,
            title=f"Prediction {prediction_id}",
            stages=picture_of_prediction(problem, found),
            facts=facts_of_prediction(found),
            tables=tables,
            not_known=[f"version {each.model_version}: {words}" for each in found.versions for words in each.not_known],
        )

    @router.get("/versions/{version}")
    async def version(request: Request, version: Number, problem: Problem = None, after: After = "") -> Response:
        """Show where a version comes from, and all corrections that it has learnt, page by page."""
        backends = _backends(request)
        model = await asyncio.to_thread(_model, request, problem)
        asked = await _ask(request, model.name, [version])
        found = await asyncio.to_thread(of_version, backends.store, model, version, asked, Page(ROWS, after))
        if not is_known(found):
            raise HTTPException(404, f"nothing is known of version {version} of {model.problem}")
        return page(
            request,
            model.problem,
            title=f"Version {version}",
            stages=picture_of_version(model.problem, found),
            facts=facts_of_version(found, backends.mlflow_url, backends.prefect_url),
            tables=[
                corrections("learnt", "Corrections that it has learnt", model.problem, found.learnt),
                answers(found.answers),
            ],
            not_known=found.not_known,
            following=found.learnt.next,
        )

    @router.get("/corrections/{suggestion_id}")
    def correction(request: Request, suggestion_id: Id, problem: Problem = None) -> Response:
        """Show where a correction comes from, and where it led."""
        model = _model(request, problem)
        found = of_correction(_backends(request).store, model, suggestion_id)
        if found is None:
            raise HTTPException(404, f"there is no correction {suggestion_id} of {model.problem}")
        return page(
            request,
            model.problem,
            title=f"Correction {suggestion_id}",
            stages=picture_of_correction(model.problem, found),
            facts=facts_of_correction(found),
            tables=[answers(found.answers)],
            not_known=found.not_known,
        )

    return router


def _backends(request: Request) -> Backends:
    backends: Backends = request.app.state.backends
    return backends


async def _ask(request: Request, name: str, versions: Sequence[int]) -> Registered:
    return await registered(_backends(request).references.registry, name, versions)


def _model(request: Request, problem: str | None) -> Model:
    """Return the model of a problem, or else of the configured one."""
    wanted = problem or request.app.state.problem
    models: Mapping[str, str] = dict(_backends(request).store.history.models())
    return Model(wanted, models.get(wanted) or _backends(request).references.model_of(wanted))
