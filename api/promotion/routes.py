"""Challenge, promote and roll back over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.http.access import WITH_KEY
from api.http.errors import responses
from api.promotion.aliases import Aliases, MovedAliases
from api.routes.dependencies import part
from common.problem import Problem

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="the number of a registered version")]
TheAliases = Annotated[Aliases, part("aliases")]


def promotion_router(_: Problem) -> APIRouter:
    """Return the routes that move the aliases of a problem's model."""
    router = APIRouter(prefix="/models", tags=["models"])

    @router.post("/{version}/challenge", dependencies=[WITH_KEY], responses=responses(401, 404, 409, 422, 503))
    async def post_challenge(version: Number, aliases: TheAliases) -> MovedAliases:
        """Make a version the challenger. Within seconds it answers the champion's rows, too, for comparison."""
        return await aliases.challenge(version)

    @router.post("/{version}/promote", dependencies=[WITH_KEY], responses=responses(401, 404, 409, 422, 503))
    async def post_promote(version: Number, aliases: TheAliases) -> MovedAliases:
        """Make a version the champion. It answers within seconds, and no request fails meanwhile."""
        return await aliases.promote(version)

    @router.post("/{version}/rollback", dependencies=[WITH_KEY], responses=responses(401, 409, 422, 503))
    async def post_rollback(version: Number, aliases: TheAliases) -> MovedAliases:
        """Take a champion back: the one before it answers again within seconds."""
        return await aliases.roll_back(version)

    return router
