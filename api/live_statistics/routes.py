"""The live statistics of the versions over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from api.http.errors import responses
from api.live_statistics.bodies import Models
from api.live_statistics.overview import overview
from api.model.follower import ModelFollower
from api.routes.dependencies import TheChampion, TheStore, part
from common.problem import Problem

TheChallenger = Annotated[ModelFollower | None, part("challenger")]


def model_router(problem: Problem) -> APIRouter:
    """Return the routes for the versions of `problem`'s model."""
    router = APIRouter(prefix="/models", tags=["models"])

    @router.get("", responses=responses(503))
    async def get_models(store: TheStore, champion: TheChampion, challenger: TheChallenger) -> Models:
        """Show the served versions and their live statistics side by side, and how the two compare."""
        serving = champion.current, challenger.current if challenger else None
        return await store.read(lambda store: overview(problem, store, *serving))

    return router
