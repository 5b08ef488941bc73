"""`GET /readyz` of a service whose store may be away: it is ready, and says so."""

from typing import Any

from fastapi import APIRouter, Request

from api.routes.dependencies import ServedModel
from api.spool.spooling_store import SpoolingStore
from common.problem import Problem


def spool_router(_: Problem) -> APIRouter:
    """Return the route, which comes before the one that knows nothing of the spool."""
    router = APIRouter(tags=["service"])

    @router.get("/readyz", include_in_schema=False)
    async def ready(request: Request, served: ServedModel) -> dict[str, Any]:
        """Answer 200 when predictions can be had, and say whether the store is away."""
        served.model.check_golden()
        late, log = request.app.state.late_store, request.app.state.spooled_log
        away = (late.away if isinstance(late, SpoolingStore) else None) or log.away
        return {"health": "ok"} | ({"store": "away", "detail": away} if away else {})

    return router
