"""The pages of the log-in, and the audit log."""

import time

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from common.keys.keyring import keyring_of
from common.keys.sessions import LIFETIME, new_session
from monitor.log_in.failures import SECONDS, Failures
from monitor.log_in.gate import COOKIE, LOG_IN, holder_of_request
from monitor.log_in.noting import client_of, note
from monitor.page.forms import PageForm
from monitor.page.rendering import render

HOME = "/"


def log_in_router() -> APIRouter:
    """Return the routes that log people in and out, and show what they did."""
    router = APIRouter(include_in_schema=False)
    failures = Failures()

    @router.get(LOG_IN)
    def form(request: Request, to: str = HOME) -> Response:
        """Show the form."""
        return _form(request, to)

    @router.post(LOG_IN)
    async def log_in(request: Request, to: str = HOME) -> Response:
        """Give a person with a key a session, and go on to the page that was asked for."""
        given, client = await PageForm.read(request), client_of(request)
        if failures.too_many(client):
            headers = {"Retry-After": f"{SECONDS:.0f}"}
            return _form(request, to, "there were too many wrong keys: try again in a minute", 429, headers)
        holder = keyring_of(request.app).holder(given.value("key"))
        await note(request, holder, "log-in", "done" if holder else "wrong key")
        if holder is None:
            failures.add(client)
            return _form(request, to, "nobody has this key", 401)
        answer = RedirectResponse(_here(to), 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            new_session(holder, time.time()),
            max_age=LIFETIME,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/log-out")
    async def log_out(request: Request) -> Response:
        """Forget the session in this browser."""
        await PageForm.read(request)
        await note(request, holder_of_request(request.scope), "log-out", "done")
        answer = RedirectResponse(LOG_IN, 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    @router.get("/audit")
    def audit(request: Request) -> Response:
        """Show the newest entries of the audit log to operators."""
        if holder_of_request(request.scope) is None:
            raise HTTPException(404, "this lab has no keys, so nobody has a name: there is no audit log")
        return render(request, "audit.html", {"entries": request.app.state.store.audit.newest()})

    return router


def _form(
    request: Request, to: str, wrong: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    is_open = not keyring_of(request.app).has_keys
    return render(request, "log_in.html", {"to": _here(to), "wrong": wrong, "is_open": is_open}, status, headers)


def _here(to: str) -> str:
    """Return the address of a page of this monitor; the home page in place of any other address."""
    is_here = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to if is_here else HOME
