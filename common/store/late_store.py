"""A store that can be opened later: a service whose database is damaged or away starts without it.

`open_late` is used in place of `Store`. It returns a store if the database can be opened. If the database itself fails,
it returns a `LateStore`, all of whose parts raise `StoreError`, and which tries to open the database again and again. A
wrong address, a missing driver or a schema that is too new are mistakes, and end the start as before.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from common.store import Store, StoreError

TRY_SECONDS = 1.0
END_SECONDS = 5.0

logger = logging.getLogger(__name__)


class LateStore(Store):
    """A store without a database, until it can be opened; then it does what that store does.

    Attributes:
        error: why the database could not be opened; None once the store is used.
        found: the open store, a moment before it is used.
    """

    def __init__(self, open_again: Callable[[], Store], error: StoreError) -> None:
        """Begin to try `open_again`, which has failed with `error`."""
        self.error: StoreError | None = error
        self._open_again = open_again
        self._opened: Store | None = None
        self.found: Store | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="open the store", daemon=True)
        logger.error("the service runs without its store, and tries to open it again and again: %s", error)

    def start(self) -> "LateStore":
        """Begin to try."""
        self._thread.start()
        return self

    def __getattr__(self, name: str) -> Any:
        """Return a part of the store, which raises `StoreError` until the database is open."""
        if name.startswith("__") or "_opened" not in self.__dict__:
            raise AttributeError(name)
        return _LatePart(self, name)

    @property
    def opened(self) -> Store:
        """The open store.

        Raises:
            StoreError: it is not open yet.
        """
        if self._opened is None:
            raise StoreError(f"{self.error}; it is tried again")
        return self._opened

    def close(self) -> None:
        """Try no more, and close the store if it is open."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)
        if self.found is not None:
            self.found.close()

    def correct(self, *arguments: Any, **options: Any) -> None:
        """Do what `Store.correct` does."""
        self.opened.correct(*arguments, **options)

    def _run(self) -> None:
        while not self._ended.wait(TRY_SECONDS):
            try:
                self.found = self.found or self._open_again()
                if self._use(self.found):
                    logger.warning("the store is open")
                    return
            except StoreError as error:
                self.error = error
            except Exception:  # nobody would notice that an error has ended the thread
                logger.exception("the store cannot be used yet")

    def _use(self, found: Store) -> bool:
        """Use an open store from now on; return whether it is in use."""
        self._opened, self.error = found, None
        return True


class _LatePart:
    """A part of a store that may not be open yet, or a method of one, by its path from the store."""

    def __init__(self, store: LateStore, *path: str) -> None:
        self._store, self._path = store, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        part = _LatePart(self._store, *self._path, name)
        return part if self._store.error else part.found()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.found()(*arguments, **options)

    def found(self) -> Any:
        return attrgetter(".".join(self._path))(self._store.opened)


def is_away(error: StoreError) -> bool:
    """Return whether a store failed because of its database, and not because of a mistake in the settings.

    A SQLite file that cannot even be opened, such as a folder, is such a mistake.
    """
    found = error.__cause__
    return isinstance(found, DBAPIError) and getattr(found.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_CANTOPEN


def reopen(url: str, patience: float | None = None) -> Store:
    """Open a store that could not be opened before, but make no new SQLite file in the place of the old one.

    Raises:
        StoreError: it cannot be opened, or its file is gone.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        raise StoreError(f"there is no store at {parsed.database}: bring back a backup, or start anew for an empty one")
    return Store(url, patience)


def open_late(url: str, patience: float | None = None) -> Store:
    """Return a store, or a late one if its database is damaged or away; `patience` is that of `Store`.

    Raises:
        StoreError: the settings or the schema are wrong.
    """
    try:
        return Store(url, patience)
    except StoreError as error:
        if not is_away(error):
            raise
        return LateStore(partial(reopen, url, patience), error).start()
