"""Errors in the form of the Open Inference Protocol: `{"error": "…"}`."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from api.http.errors import ServiceError, error_documents

PREFIX = "/v2"  # of all paths of the protocol; no other file of the service has it


class OipRequestError(ServiceError):
    """A request cannot be answered; the message names the place of the mistake, and the values that are allowed."""

    status = 400


class OipError(BaseModel):
    """An error as the Open Inference Protocol describes it."""

    error: str = Field(examples=["inputs[0].shape: [1, 3] is not [1 to 10000, 4]"])


def add_oip_errors() -> None:
    """Write every error under the protocol's paths in the protocol's form."""
    error_documents[PREFIX] = lambda detail: {"error": detail}


def oip_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can answer these errors, for its description in OpenAPI."""
    return {status: {"model": OipError, "description": HTTPStatus(status).phrase} for status in statuses}
