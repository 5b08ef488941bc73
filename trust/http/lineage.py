"""Lineage over HTTP: where an answer, a version or a correction comes from, and where it led."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path, Query

from api.http.access import WITH_KEY
from api.http.errors import responses
from api.routes.dependencies import TheStore, part
from common.problem import Problem
from common.registry.client import Registry, RegistryUnavailableError
from trust.lineage.asking import ErasedError, Model, Page, logged, registered
from trust.lineage.documents import CorrectionLineage, PredictionLineage, VersionLineage
from trust.lineage.tracing import is_known, of_correction, of_prediction, of_version

TheRegistry = Annotated[Registry, part("registry")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="the number of a registered version")]
Limit = Annotated[int, Query(ge=1, le=200, description="the most corrections in one answer")]
After = Annotated[UUID | None, Query(description="only corrections with a greater id: `next` of the page before")]


def lineage_router(problem: Problem) -> APIRouter:
    """Return the routes of lineage."""
    router = APIRouter(prefix="/lineage", tags=["lineage"], dependencies=[WITH_KEY])
    model = Model(problem.name, problem.onnx_name)

    @router.get("/versions/{version}", responses=responses(401, 404, 422, 503))
    async def get_version_lineage(
        version: Number, store: TheStore, registry: TheRegistry, limit: Limit = 50, after: After = None
    ) -> VersionLineage:
        """Show where a version comes from: its run, data, verdict, and all corrections that it has learnt."""
        asked, page = await registered(registry, model.name, [version]), Page(limit, str(after) if after else "")
        found = await store.read(lambda of: of_version(of, model, version, asked, page))
        if not is_known(found):
            if asked.answered:
                raise HTTPException(404, f"there is no {model.name} version {version}")
            raise RegistryUnavailableError(f"nothing is known of {model.name} version {version} without the registry")
        return found

    @router.get("/corrections/{suggestion_id}", responses=responses(401, 404, 422, 503))
    async def get_correction_lineage(suggestion_id: UUID, store: TheStore) -> CorrectionLineage:
        """Show where a correction comes from, and how many answers came from versions that have learnt it."""
        found = await store.read(lambda of: of_correction(of, model, str(suggestion_id)))
        if found is None:
            raise HTTPException(404, f"there is no correction {suggestion_id} of {problem.name}")
        return found

    @router.get("/{prediction_id}", responses=responses(401, 404, 410, 422, 503))
    async def get_prediction_lineage(
        prediction_id: UUID, store: TheStore, registry: TheRegistry, limit: Limit = 50
    ) -> PredictionLineage:
        """Show where the answers of a prediction come from, and the corrections that name it."""
        try:
            found = await store.read(lambda of: logged(of, str(prediction_id)))
        except ErasedError as error:
            raise HTTPException(410, str(error)) from error
        if found is None:
            raise HTTPException(404, f"there is no prediction {prediction_id} (yet: the log may be 250 ms behind)")
        asked, page = await registered(registry, found.model.name, found.versions), Page(limit)
        return await store.read(lambda of: of_prediction(of, found, asked, page))

    return router
