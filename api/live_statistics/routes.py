"""The live statistics of the versions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.http.errors import responses
from api.live_statistics.bodies import Models
from api.live_statistics.overview import overview
from api.model.follower import ModelFollower
from api.routes.dependencies import TheChampion, TheStore, part
from common.problem import Problem
from common.store.statistics import MOST_VERSIONS

TheChallenger = Annotated[ModelFollower | None, part("challenger")]


def model_router(problem: Problem) -> APIRouter:
    """Return the routes for the versions of `problem`'s model."""
    router = APIRouter(prefix="/models", tags=["models"])

    @router.get("", responses=responses(422, 503))
    async def get_models(
        store: TheStore,
        champion: TheChampion,
        challenger: TheChallenger,
        limit: Annotated[int, Query(ge=1, le=1_000, description="the versions that answered last")] = MOST_VERSIONS,
    ) -> Models:
        """Show the served versions and their live statistics side by side, and how the two compare."""
        serving = champion.current, challenger.current if challenger else None
        return await store.read(lambda store: overview(problem, store, *serving, limit))

    return router
