"""Health checks that fail while the server drains. At all other times these routes do not exist."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import Match

from api.draining.server import DRAINING
from common.error_document import error_document
from common.problem import Problem

PATHS = ("/livez", "/health", "/readyz", "/v2/health/live", "/v2/health/ready")


class _Route(APIRoute):
    """A route that takes a request only while the server drains."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        """Leave the request to the routes that follow, unless the server drains."""
        return super().matches(scope) if DRAINING in scope.get("state", ()) else (Match.NONE, {})


def draining_router(_: Problem) -> APIRouter:
    """Return the routes, which come before the ones that answer at other times."""
    router = APIRouter(tags=["service"], route_class=_Route)

    async def drains(request: Request) -> JSONResponse:
        """Answer 503."""
        return error_document(503, "this api is about to end; ask another replica", request.url.path)

    for path in PATHS:
        router.add_api_route(path, drains, include_in_schema=False)
    return router
