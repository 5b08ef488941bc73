"""httpx without its command line, which would import rich and pygments: 5 MB that no service needs."""

import sys

_is_hidden = "httpx._main" not in sys.modules
if _is_hidden:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
import httpx  # noqa: E402

if _is_hidden:
    # A later import of the command line finds it.
    del sys.modules["httpx._main"]

__all__ = ["httpx"]
