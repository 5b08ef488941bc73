"""The log files of `make up`: each has a size that it does not pass, and older lines are in two files beside it."""

import logging
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_BYTES = 10_000_000
OLDER = 2  # files beside each log, `.1` and `.2`


class LogFile(RotatingFileHandler):
    """The log of one process; it begins empty, and the lines of the process before are in `.1`.

    A line that cannot be written, such as on a full disk, ends nothing: the first one is told on stderr.
    """

    terminator = ""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, whose folder exists."""
        begin_anew(path)
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=OLDER, encoding="utf-8")
        self._has_failed = False

    def write(self, text: str) -> None:
        """Write a text, which has its own end of line."""
        self.handle(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # the lines that could not be written
            super().close()

    def handleError(self, _: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Tell of the first error."""
        if not self._has_failed:
            self._has_failed = True
            print(f"{self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


def begin_anew(path: Path, least: int = 1) -> None:
    """Let a log of `least` bytes or more be an older one, so that the next process begins with an empty one."""
    if path.exists() and path.stat().st_size >= least:
        older = RotatingFileHandler(path, backupCount=OLDER, delay=True)
        older.doRollover()
        older.close()
