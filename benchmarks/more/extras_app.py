"""The api without one of its extras; it has no switches for them. uvicorn makes the applications."""

from typing import Any

from fastapi import FastAPI

JSON = b"content-type: application/json\r\n"


def without_timing() -> FastAPI:
    """Return the api without the header `Server-Timing` in the answers of its fast path."""
    from api.api import create_app
    from api.fastpath import rows

    rows.__dict__["headers_of"] = lambda _: JSON
    return create_app()


def without_counts() -> FastAPI:
    """Return the api without the four counts in the answers to Seldon's clients."""
    from api.api import create_app
    from api.protocols.seldon.answers import SeldonAnswers

    async def nothing(*_: Any, **__: Any) -> dict[str, Any]:
        return {}

    SeldonAnswers.metrics = nothing  # type: ignore[method-assign]  # in the process of this application only
    return create_app()
