"""The walls against other pages in a browser, with errors in the form of the protocol that a path belongs to."""

from starlette.types import ASGIApp

from api.http.errors import error_response
from common.browsers.walls import BrowserWalls


class ApiWalls(BrowserWalls):
    """ASGI middleware: `BrowserWalls` with the api's errors."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        super().__init__(app, error_response)
