"""Bodies of JSON: what they will weigh is known before they are decoded, and large ones are decoded in a thread.

Decoded, a value takes many times the bytes that it has in a body: an empty list 25 times. A parser that is let loose on
eight megabytes of them takes 700 MB, and keeps the interpreter for seconds.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from api.http.large_bodies import LargeBatches, is_small
from api.schemas.requests import MAX_ROWS
from common.problem import Problem

# About the bytes that Python takes for a value, for a list or an object, and for a key with its place.
VALUE, CONTAINER, KEY = 40, 160, 120
# Room for what a request says beside its rows, and for such characters in texts; each holds others up for 0.1 µs.
SPARE = 16 * 2**20
SPARE_KEYS = 1_000
MOST_CHARACTERS = 1_000  # of a key, which errors repeat
# simdjson takes 0.4 µs for a number of twenty digits or more, twice as long as others, and up to here 0.07 s for all.
SIMD_BYTES = 4 * 2**20
NOWHERE = -1  # the place of an error whose message tells it


class TooHeavyError(ValueError):
    """A body has more values than a request of this service can have."""


def weight(body: bytes) -> int:
    """Return about how many bytes a body of JSON takes when it is decoded, but for its texts, at most.

    Characters within texts count, too: telling them apart would take longer than all the rest.
    """
    values, containers, keys = body.count(b","), body.count(b"[") + body.count(b"{"), body.count(b":")
    return VALUE * values + CONTAINER * containers + KEY * keys


def row_weight(problem: Problem) -> int:
    """Return what a row may weigh that is given by its fields: twice what it must."""
    return 2 * (CONTAINER + len(problem.features) * (VALUE + KEY))


def check_weight(body: bytes, problem: Problem) -> None:
    """Check that a body is not heavier than the most rows that a request may have, with much to spare.

    Raises:
        TooHeavyError: it is.
    """
    if is_small(len(body)):
        return
    if weight(body) > SPARE + MAX_ROWS * (CONTAINER + len(problem.features) * VALUE):
        raise TooHeavyError(f"the body has more values than a request can have, whose rows are {MAX_ROWS} at most")


class _Bounded(Request):
    async def json(self) -> Any:
        """Return the decoded body.

        Raises:
            HTTPException: 413, it is too heavy.
            JSONDecodeError: it is no JSON.
        """
        body, state = await self.body(), self.app.state
        large: LargeBatches = state.large
        try:
            return await large.do(lambda: _decode(body, state.problem), len(body))
        except TooHeavyError as error:
            raise HTTPException(413, f"{error}") from error


class BoundedRoute(APIRoute):
    """A route whose body costs little, whatever it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handler = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handler(_Bounded(request.scope, request.receive))

        return bounded


def _decode(body: bytes, problem: Problem) -> Any:
    check_weight(body, problem)
    # json tells more of what is wrong, and takes more: an emoji makes it copy all of a body at four bytes a character.
    found = json.loads(body) if is_small(len(body)) else _parsed(body)
    if isinstance(found, dict):
        _check_keys(found, problem)
    return found


def _check_keys(found: Mapping[str, Any], problem: Problem) -> None:
    if len(found) > len(problem.features) + SPARE_KEYS:
        raise TooHeavyError(f"the body has {len(found)} keys, more than a request can have")
    if (longest := max(map(len, found), default=0)) > MOST_CHARACTERS:
        raise TooHeavyError(f"the body has a key of {longest} characters, more than any key of a request has")


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise json.JSONDecodeError(f"{error}", "", NOWHERE) from error
