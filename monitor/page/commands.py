"""Commands that the page offers to copy. A text has them between backticks."""

import json
from collections.abc import Mapping
from typing import Any

TRAIN, TRAFFIC, START = "make train", "python -m scripts.traffic", "make up"


def curl(address: str, body: Mapping[str, Any] | None = None, *, key: bool = False) -> str:
    """Return a command for a shell that posts to the api, with a body as JSON and with `$API_KEY`, if it needs one."""
    with_key = ' -H "X-API-Key: $API_KEY"' if key else ""
    if body is None:
        return f"curl -X POST{with_key} {address}"
    # A name may have an apostrophe, which would end the text of the shell, or a backtick, which would end the command.
    text = json.dumps(body).replace("'", "\\u0027").replace("`", "\\u0060")
    return f"curl -X POST{with_key} -H 'Content-Type: application/json' -d '{text}' {address}"
