"""JSON bodies: a check of their size in memory before they are decoded, and a thread for decoding large ones.

A decoded value takes many times the bytes that it has in the body; an empty list takes 25 times as many. Without the
check, eight megabytes of empty lists would take 700 MB and block the interpreter for seconds.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import numpy as np
from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from api.http.errors import NOWHERE
from api.http.large_bodies import is_small
from api.schemas.requests import MAX_ROWS
from common.problem import Floats, Problem

# Bytes that Python takes, roughly, for a value, for a list or an object, and for a key with its entry.
VALUE, CONTAINER, KEY = 40, 160, 120
# Allowed beside the rows: other parts of the request, and the same characters within texts.
SPARE = 16 * 2**20
SPARE_KEYS = 1_000
MOST_CHARACTERS = 1_000  # of a key, because errors repeat keys
# simdjson takes 0.4 µs for a number of twenty digits or more, twice as long as other parsers: 0.07 s for this size.
SIMD_BYTES = 4 * 2**20
# The errors of simdjson and `flat_numbers` for a body that is not JSON, or that has no array of numbers in its place.
NO_NUMBERS = (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError)


class TooHeavyError(HTTPException):
    """A body has more values than any request to this service can have."""


def weight(body: bytes) -> int:
    """Return how many bytes a JSON body takes at most, roughly, when it is decoded, without its texts.

    Commas, brackets and colons within texts count as well: to leave them out would take longer than all the rest.
    """
    values, containers, keys = body.count(b","), body.count(b"[") + body.count(b"{"), body.count(b":")
    return VALUE * values + CONTAINER * containers + KEY * keys


def check_weight(body: bytes, problem: Problem) -> None:
    """Check that a body is not much heavier than the most rows that a request may have.

    Raises:
        TooHeavyError: it is.
    """
    if is_small(len(body)):
        return
    if weight(body) > SPARE + MAX_ROWS * (CONTAINER + len(problem.features) * VALUE):
        raise TooHeavyError(413, f"the body has more values than a request can have, which is at most {MAX_ROWS} rows")


def flat_numbers(array: Any) -> Floats:
    """Return the numbers of a `simdjson.Array`, flat even if it has lists within, as float64.

    This takes a fifth of the time that lists of Python's numbers take.

    Raises one of `NO_NUMBERS` if it is no array, or a value is no number.
    """
    return np.frombuffer(array.as_buffer(of_type="d"))


class _Bounded(Request):
    async def json(self) -> Any:
        """Return the decoded body.

        Raises:
            TooHeavyError: it is too heavy.
            JSONDecodeError: it is not JSON.
        """
        body, state = await self.body(), self.app.state
        return await state.large.do(lambda: _decode(body, state.problem), len(body))


class BoundedRoute(APIRoute):
    """A route whose body costs little, whatever is in it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        handler = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handler(_Bounded(request.scope, request.receive))

        return bounded


def _decode(body: bytes, problem: Problem) -> Any:
    check_weight(body, problem)
    # json describes mistakes better, but takes more memory: one emoji makes it copy the body at four bytes a character.
    found = json.loads(body) if is_small(len(body)) else _parsed(body)
    if isinstance(found, dict):
        _check_keys(found, problem)
    return found


def _check_keys(found: Mapping[str, Any], problem: Problem) -> None:
    if len(found) > len(problem.features) + SPARE_KEYS:
        raise TooHeavyError(413, f"the body has {len(found)} keys, more than a request can have")
    if (longest := max(map(len, found), default=0)) > MOST_CHARACTERS:
        raise TooHeavyError(413, f"the body has a key of {longest} characters, longer than any key of a request")


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise json.JSONDecodeError(f"{error}", "", NOWHERE) from error
