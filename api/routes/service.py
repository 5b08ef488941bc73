"""Routes that describe the service: whether it lives and is ready, and the names of its classes."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api.http.errors import responses
from api.routes.dependencies import ServedModel
from api.schemas.responses import Health
from common.problem import Problem


def service_router(_: Problem) -> APIRouter:
    """Return the routes that describe the service; they are the same for every problem."""
    router = APIRouter(tags=["service"])

    @router.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        """Lead people to the documentation."""
        return RedirectResponse("/docs")

    @router.get("/health")
    @router.get("/livez", summary="The process lives")
    async def health() -> Health:
        """Answer as long as the process lives, with or without a model."""
        return Health()

    @router.get("/readyz", summary="There is a model, and it answers", responses=responses(503))
    async def ready(served: ServedModel) -> Health:
        """Answer 200 when predictions can be had, else 503."""
        served.model.check_golden()
        return Health()

    @router.get("/label", summary="Class names by index", responses=responses(503))
    async def label(served: ServedModel) -> dict[int, str]:
        """Return the names of the classes by their index in the model's output."""
        return dict(enumerate(served.model.classes))

    return router
