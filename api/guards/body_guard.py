"""Bodies that are too large, compressed or not JSON are turned away before a route sees them."""

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import error_response

MAX_BODY_BYTES = 8 * 1024 * 1024
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
# Tensors may be binary, and clients of this protocol declare their JSON as anything, or not at all.
WITHOUT_TYPE = re.compile("/v2/models/.*/infer")


class BodyGuard:
    """ASGI middleware: 413 above 8 MiB (counted, whatever Content-Length says), 415 for what is not JSON, but tensors.

    A compressed body is a 415 everywhere. A request without a body passes.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        """Stand before `app`."""
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http" or scope["method"] not in METHODS_WITH_BODY:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if length == b"0" and b"transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        coding = headers.get(b"content-encoding", b"identity").decode("latin-1")
        if coding.strip().lower() != "identity":
            detail = f"the body must not be compressed (Content-Encoding: {coding})"
            await error_response(415, detail, scope["path"])(scope, receive, send)
            return
        is_json = headers.get(b"content-type", b"").split(b";")[0].strip().lower() == b"application/json"
        if not is_json and not WITHOUT_TYPE.fullmatch(scope["path"]):
            response = error_response(415, "the body must be JSON: set Content-Type: application/json", scope["path"])
            await response(scope, receive, send)
            return
        too_large = f"the body is larger than {self.max_bytes} bytes"
        if length.isdigit() and int(length) > self.max_bytes:
            await error_response(413, too_large, scope["path"])(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise HTTPException(413, too_large)
            return message

        await self.app(scope, counted, send)
