"""Error responses of the page: HTML for browsers, `application/problem+json` (RFC 9457) for other clients."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from common.error_document import error_document
from common.store import StoreError
from monitor.page.rendering import render

STORE_DOWN = "the monitor cannot read the store"

logger = logging.getLogger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error as HTML or JSON, whichever the client accepts."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return _error_response(request, error.status_code, error.detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _error_response(request, 422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, _: Exception) -> Response:  # Starlette logs it
        return _error_response(request, 500, "the monitor has failed; its log has the reason")

    @app.exception_handler(StoreError)
    async def store_down(request: Request, error: StoreError) -> Response:
        logger.error("%s", error)
        return _error_response(request, 503, STORE_DOWN, {"Retry-After": "5"})


def _error_response(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return render(request, "error.html", {"detail": detail, "status": status}, status, headers)
    return error_document(status, detail, request.url.path, headers)
