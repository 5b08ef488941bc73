"""Errors as `application/problem+json` (RFC 9457), for the api and the monitor."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(BaseModel):
    """An error as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["sepal_length: Input should be a finite number"])
    instance: str = Field(examples=["/predict"])


def error_document(
    status: int, detail: str, instance: str, headers: Mapping[str, str] | None = None, **members: Any
) -> JSONResponse:
    """Return a response with an error as its document.

    Args:
        status: the status of the response.
        detail: what is wrong, for people.
        instance: the path of the request.
        headers: further headers of the response.
        members: further members of the document.
    """
    document = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance)
    given = {"X-Content-Type-Options": "nosniff", **(headers or {})}
    return JSONResponse(document.model_dump() | members, status, media_type=MEDIA_TYPE, headers=given)
