"""Slashes at the end of the Open Inference Protocol's paths: some clients send them, and follow no redirect."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.protocols.oip.errors import PREFIX


class Slashes:
    """ASGI middleware: a path of the protocol with a slash at its end is the same as without."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let everything pass."""
        path = scope.get("path", "")
        if path.startswith(f"{PREFIX}/") and path.endswith("/"):
            scope = {**scope, "path": path[:-1]}
        await self.app(scope, receive, send)
