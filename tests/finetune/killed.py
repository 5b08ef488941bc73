"""Kills a run after any change of the registry or of the store, as a kill of its process may."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import sqlalchemy as sa

from common.store.database import Database

KILLED = 9
REGISTRY = ("/registered-models/", "/model-versions/")  # in the addresses of calls


class KilledError(BaseException):
    """Stands for the end of the process. Nothing in the flow catches it."""


class Countdown:
    """Calls a function after a number of changes; at zero, it counts none."""

    def __init__(self, kill: Callable[[], None], left: int = 0) -> None:
        self.left = left
        self._kill = kill

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._kill()


def end_with_error() -> None:
    raise KilledError


@contextmanager
def counting(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` after each change of the registry and of the store."""
    send, writing = requests.Session.send, Database.writing

    def send_and_count(session: requests.Session, request: requests.PreparedRequest, **options: object) -> object:
        response = send(session, request, **options)  # type: ignore[arg-type]  # handed on as they are
        if request.method != "GET" and any(name in str(request.url) for name in REGISTRY):
            count()
        return response

    @contextmanager
    def write_and_count(database: Database, **options: bool) -> Iterator[sa.Connection]:
        with writing(database, **options) as connection:
            yield connection
        count()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(requests.Session, "send", send_and_count)
        patched.setattr(Database, "writing", write_and_count)
        yield
