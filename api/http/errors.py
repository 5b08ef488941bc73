"""Every error as `application/problem+json` (RFC 9457), or in the form of the protocol that a path belongs to."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.http.json_bodies import NOWHERE
from api.model.aliases import NoVersionError, RefusedError
from api.schemas.requests import BODIES
from common.registry.client import RegistryError, RegistryUnavailableError
from common.store import StoreError
from common.store.feedback import ContradictionError, UnknownPredictionError

MEDIA_TYPE = "application/problem+json"
# Where an error's place begins; what follows is the client's own.
PARTS = ("body", "query", "path")

# Errors whose words are for the client.
STATUS = {
    UnknownPredictionError: 404,
    NoVersionError: 404,
    ContradictionError: 409,
    RefusedError: 409,
}

MAX_ERRORS = 20

# By the beginning of a path: how the protocol that owns these paths writes an error, given its detail.
error_documents: dict[str, Callable[[str], Mapping[str, Any]]] = {}

logger = logging.getLogger(__name__)


class ServiceError(Exception):
    """An error whose message is for the client; a subclass sets the status of the answer."""

    status: int


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(examples=["sepal_length"])
    detail: str = Field(examples=["Input should be a finite number"])


class ProblemDetails(BaseModel):
    """An error as RFC 9457 describes it; `errors` names the fields that are to blame, the first 20 of them."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["sepal_length: Input should be a finite number"])
    instance: str = Field(examples=["/predict"])
    errors: list[FieldError] | None = None


def problem_response(
    status: int,
    detail: str,
    instance: str,
    errors: Sequence[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an error as a response, in the form of the protocol that `instance`, the path, belongs to."""
    for prefix, document in error_documents.items():
        if instance == prefix or instance.startswith(f"{prefix}/"):
            return JSONResponse(document(detail), status, headers=dict(headers or {}))
    problem = ProblemDetails(
        title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance, errors=errors and [*errors]
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer these problems, for its description."""
    content = {MEDIA_TYPE: {"schema": _problem_schema()}}
    return {
        status: {"model": ProblemDetails, "content": content, "description": HTTPStatus(status).phrase}
        for status in statuses
    }


@cache  # 2 ms of the start for each of the routes
def _problem_schema() -> dict[str, Any]:
    return ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error.status_code, error.detail, request.url.path, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        columns = request.app.state.problem.columns
        # The input itself is left out: it may be NaN, which JSON cannot say, or ten megabytes.
        found = error.errors()
        errors = [_field_error(each, columns) for each in found[:MAX_ERRORS]]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return problem_response(422, f"{errors[0].field}: {errors[0].detail}{more}", request.url.path, errors)

    @app.exception_handler(ServiceError)
    async def failed(request: Request, error: ServiceError) -> JSONResponse:
        return problem_response(error.status, f"{error}", request.url.path)

    for kind, status in STATUS.items():

        @app.exception_handler(kind)
        async def told(request: Request, error: Exception, status: int = status) -> JSONResponse:
            return problem_response(status, f"{error}", request.url.path)

    @app.exception_handler(RegistryUnavailableError)
    @app.exception_handler(RegistryError)
    async def registry_down(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s", error)
        return problem_response(503, "the model registry does not do what it is asked: try again", request.url.path)

    @app.exception_handler(StoreError)
    async def store_down(request: Request, error: StoreError) -> JSONResponse:
        logger.error("%s", error)
        return problem_response(503, "the store does not answer: nothing was kept, try again", request.url.path)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _: Exception) -> JSONResponse:
        return problem_response(500, "an error of the service; its log says more", request.url.path)


def _field_error(found: Mapping[str, Any], columns: Sequence[str]) -> FieldError:
    if found.get("type") == "json_invalid":
        place = found["loc"][-1]
        where = "" if place == NOWHERE else f" at character {place}"
        return FieldError(field="body", detail=f"not JSON{where}: {found['ctx']['error']}")
    return FieldError(field=_field(found["loc"], columns), detail=found["msg"])


def _field(place: Sequence[str | int], columns: Sequence[str]) -> str:
    for beginnings in (PARTS, BODIES):
        place = place[1:] if place and place[0] in beginnings else place
    match place:
        case [*before, "data" | "ndarray" as rows, int(row), int(column)] if column < len(columns):
            return ".".join([*map(str, before), f"{rows}[{row}].{columns[column]}"])
        case parts:
            return ".".join(map(str, parts)) or "body"
