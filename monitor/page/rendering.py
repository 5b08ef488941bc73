"""Rendering of HTML from templates, with its headers, and the static files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from markupsafe import Markup
from pydantic import BaseModel

from monitor.page import aids, findings, formatting
from monitor.page.scatter import Scatter

HERE = Path(__file__).parent
# Pico's icons are data: URLs in its style sheet.
POLICY = (
    "default-src 'self'; img-src 'self' data:; form-action 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}

_templates = Jinja2Templates(HERE / "templates")
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True
_templates.env.globals["formatting"] = formatting
_templates.env.globals["aids"] = aids
_templates.env.globals["verdicts"] = findings
_templates.env.globals["scatter"] = Scatter


class _Files(StaticFiles):
    """Static files that a browser may cache but must revalidate, so that a new version appears at once."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_files(app: FastAPI) -> None:
    """Make `app` serve the page's scripts, styles and images."""
    app.mount("/static", _Files(directory=HERE / "static"), name="static")


def render(
    request: Request,
    template: str,
    context: dict[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an HTML response."""
    kept = {**HEADERS, "Cache-Control": "no-store", **(headers or {})}
    return _templates.TemplateResponse(request, template, context, status_code=status, headers=kept)


def script_json(data: BaseModel) -> Markup:
    """Return a tab's data, without the cards of its panels, as JSON that may stand inside a script element."""
    shown = data.model_dump_json(exclude={"panels": {"__all__": {"cards"}}})
    return Markup(shown.replace("<", "\\u003c"))  # noqa: S704  # no `<` can end the element


_templates.env.filters["script_json"] = script_json
