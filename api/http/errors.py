"""Every error as `application/problem+json` (RFC 9457), or in the form of the protocol that a path belongs to."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, create_model
from starlette.exceptions import HTTPException

from api.schemas.requests import BODIES
from common.error_document import MEDIA_TYPE, ProblemDetails, error_document
from common.registry.client import RegistryError, RegistryUnavailableError
from common.store import StoreError
from common.store.feedback import ContradictionError, UnknownPredictionError

# Where the place of a validation error begins; the client named the rest.
PARTS = ("body", "query", "path")
MAX_ERRORS = 20
NOWHERE = -1  # the place of a mistake in JSON whose message has the place

# Errors of `common`, with the status of the answer, and with the message for the client if the error's own message is
# for the log.
ANSWERS = {
    UnknownPredictionError: (404, ""),
    ContradictionError: (409, ""),
    RegistryUnavailableError: (503, "MLflow cannot be reached: try again"),
    RegistryError: (503, "MLflow does not answer as it should: try again"),
    StoreError: (503, "the store does not answer: nothing was stored, try again"),
}

# By the beginning of a path: how the protocol that owns these paths writes an error, given its detail.
error_documents: dict[str, Callable[[str], Mapping[str, Any]]] = {}

logger = logging.getLogger(__name__)


class ServiceError(Exception):
    """An error whose message is for the client; a subclass sets the status of the answer."""

    status: int


class FieldError(BaseModel):
    """A mistake in one field of the request."""

    field: str = Field(examples=["sepal_length"])
    detail: str = Field(examples=["Input should be a finite number"])


def error_response(
    status: int, detail: str, instance: str, headers: Mapping[str, str] | None = None, **members: Any
) -> JSONResponse:
    """Return an error in the form of the protocol that `instance`, the path, belongs to. Arguments as there."""
    for prefix, document in error_documents.items():
        if instance == prefix or instance.startswith(f"{prefix}/"):
            return JSONResponse(document(detail), status, headers=dict(headers or {}))
    return error_document(status, detail, instance, headers, **members)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer these errors, for its description in OpenAPI."""
    model, schema = _described()
    content = {MEDIA_TYPE: {"schema": schema}}
    return {
        status: {"model": model, "content": content, "description": HTTPStatus(status).phrase} for status in statuses
    }


@cache  # making the schema takes 2 ms, and each route needs it
def _described() -> tuple[type[ProblemDetails], dict[str, Any]]:
    model = create_model(
        "ProblemDetails",
        __base__=ProblemDetails,
        __doc__="An error as RFC 9457 describes it; `errors` names the mistakes in fields, the first 20 of them.",
        errors=(list[FieldError] | None, None),
    )
    return model, model.model_json_schema(ref_template="#/components/schemas/{model}")


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with an error document."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, error.detail, request.url.path, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        columns = request.app.state.problem.columns
        # The input itself is left out: it may be NaN, which JSON cannot express, or ten megabytes.
        found = error.errors()
        errors = [_field_error(each, columns) for each in found[:MAX_ERRORS]]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        detail = f"{errors[0].field}: {errors[0].detail}{more}"
        return error_response(422, detail, request.url.path, errors=[each.model_dump() for each in errors])

    @app.exception_handler(ServiceError)
    async def for_the_client(request: Request, error: ServiceError) -> JSONResponse:
        return error_response(error.status, f"{error}", request.url.path)

    for kind, (status, detail) in ANSWERS.items():

        @app.exception_handler(kind)
        async def known(request: Request, error: Exception, status: int = status, detail: str = detail) -> JSONResponse:
            if detail:
                logger.error("%s", error)
            return error_response(status, detail or f"{error}", request.url.path)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _: Exception) -> JSONResponse:
        return error_response(500, "an error of the service; its log says more", request.url.path)


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
