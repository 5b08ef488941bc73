"""Which versions serve, how they stand up to the truth, and moving the aliases, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.http.access import WITH_KEY
from api.http.errors import responses
from api.model.aliases import challenge, overview, promote, roll_back
from api.routes.dependencies import TheChallenger, TheChampion, TheRegistry, TheStore
from api.schemas.responses import Models, MovedAliases
from common.problem import Problem

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="the number of a registered version")]


def model_router(problem: Problem) -> APIRouter:
    """Return the routes for the versions of `problem`'s model."""
    router = APIRouter(prefix="/models", tags=["models"])

    @router.get("", responses=responses(503))
    async def get_models(store: TheStore, champion: TheChampion, challenger: TheChallenger) -> Models:
        """Show the served versions and their live statistics side by side, and how the two compare."""
        return await store.read(lambda of: overview(problem, of, champion.current, challenger.current))

    @router.post("/{version}/challenge", dependencies=[WITH_KEY], responses=responses(401, 404, 409, 422, 503))
    async def post_challenge(version: Number, registry: TheRegistry) -> MovedAliases:
        """Let a version answer in the champion's shadow, from some seconds on."""
        return await challenge(problem, registry, version)

    @router.post("/{version}/promote", dependencies=[WITH_KEY], responses=responses(401, 404, 422, 503))
    async def post_promote(version: Number, registry: TheRegistry, store: TheStore) -> MovedAliases:
        """Make a version the champion. It answers within seconds, and no request fails meanwhile."""
        return await promote(problem, registry, store, version)

    @router.post("/{version}/rollback", dependencies=[WITH_KEY], responses=responses(401, 409, 422, 503))
    async def post_rollback(version: Number, registry: TheRegistry, store: TheStore) -> MovedAliases:
        """Take a champion back: the one before it answers again, within seconds."""
        return await roll_back(problem, registry, store, version)

    return router
