"""HEAD on every route that has GET: FastAPI's routes do not have it by themselves."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Heads:
    """ASGI middleware: the application answers HEAD as GET, and the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, with GET in place of HEAD."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)
