"""The files of the spool: one JSON document a line, appended and synced, bounded in size, each by one process.

A process locks its file as long as it lives. So another process can tell the file of a dead process, and bring it in.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.store import StoreError

SUFFIX = ".jsonl"
DONE = ".done"  # beside a file: how many of its truths and corrections are in the store
REFUSED = "refused.log"  # has each document that the store did not take, with the reason
READ_BYTES = 2**20
FOR_LOG = 0.9  # of the size: the prediction log leaves room for ground truths and corrections
Document = dict[str, Any]


class SpoolFile:
    """A file of the spool, which is locked until `close`."""

    def __init__(self, path: Path) -> None:
        """Open and lock the file at `path`; make it if it is not there.

        Raises:
            BlockingIOError: another process has it.
        """
        self.path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            self._file.close()
            raise

    def append(self, documents: list[Document], *, durable: bool) -> None:
        """Append documents, all or none.

        Raises:
            OSError: the disk is full, for example; nothing of them is left.
        """
        content = b"".join(json.dumps(each).encode() + b"\n" for each in documents)
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(content)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError:
            # The buffer may hold a part of it, which a later flush would write.
            descriptor = os.open(self.path, os.O_WRONLY)
            try:
                os.ftruncate(descriptor, end)
            finally:
                os.close(descriptor)
            self._reopen()
            raise

    def _reopen(self) -> None:
        file = self.path.open("a+b")
        old = os.dup(self._file.fileno())  # keeps the lock until the new descriptor has it
        try:
            self._file.close()
        except OSError:
            pass
        finally:
            os.close(old)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file = file

    def documents(self, start: int = 0) -> Iterator[tuple[int, Document]]:
        """Yield the whole documents from the byte `start` on, each with the byte after it."""
        rest = b""
        # The path may be gone, because somebody has deleted the folder; what the open file has can still be read.
        while found := os.pread(self._file.fileno(), READ_BYTES, start + len(rest)):
            # A last line without an end was not acknowledged: a kill came in the middle of it.
            *lines, rest = (rest + found).split(b"\n")
            for line in lines:
                start += len(line) + 1
                yield start, json.loads(line)

    @property
    def done(self) -> int:
        """The byte up to which ground truths and corrections are in the store."""
        try:
            return int(self.path.with_suffix(DONE).read_text())
        except (OSError, ValueError):
            return 0

    @done.setter
    def done(self, place: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have deleted it
        self.path.with_suffix(DONE).write_text(str(place))

    def close(self) -> None:
        """Let others have the file; an empty one is removed."""
        if not self.path.exists() or not self.path.stat().st_size:
            self.remove()
        else:
            self._file.close()

    def remove(self) -> None:
        """Remove the file, all of which is in the store."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(DONE).unlink(missing_ok=True)
        self._file.close()


class Spool:
    """The folder of the spool, with the file of this process."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Keep at most `max_bytes` in `folder`, in all files together."""
        self._folder, self._max = folder, max_bytes
        self._own: SpoolFile | None = None

    @property
    def is_off(self) -> bool:
        """Whether nothing may be kept; files of earlier processes are still brought in."""
        return self._max == 0

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(_bytes_of(path) for path in self._folder.glob("*") if path.suffix in {SUFFIX, ".log"})

    def append(self, *documents: Document, for_log: bool = False) -> None:
        """Keep documents; those that are not for the log are on the disk when this returns.

        Raises:
            StoreError: there is no room for them.
        """
        if self.is_off:
            raise StoreError("the store is away, and this api has no spool: SPOOL_MB is 0")
        room = self._max * (FOR_LOG if for_log else 1)
        try:
            size = sum(len(json.dumps(each)) + 1 for each in documents)
            if self.size() + size > room:
                raise StoreError(f"the store is away, and the spool in {self._folder} is full: {room / 1e6:.0f} MB")
            if self._own is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._own = SpoolFile(self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}")
            self._own.append(list(documents), durable=not for_log)
        except OSError as error:
            raise StoreError(f"the store is away, and the spool cannot be written: {error.strerror}") from error

    def files(self) -> tuple[list[SpoolFile], bool]:
        """Return the own file, and those of dead processes, which are now locked; and whether others live.

        The caller closes or removes those that are not its own.
        """
        found = [self._own] if self._own else []
        others_live = False
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if self._own is None or path != self._own.path:
                try:
                    found.append(SpoolFile(path))
                except OSError:
                    others_live = True
        return found, others_live

    def with_own(self, files: list[SpoolFile]) -> list[SpoolFile]:
        """Return these files and the own one, which may have been made since they were listed."""
        return files if self._own is None or self._own in files else [*files, self._own]

    @property
    def own(self) -> SpoolFile | None:
        """The file of this process, if it has told anything."""
        return self._own

    def is_own(self, file: SpoolFile) -> bool:
        """Return whether this process appends to a file."""
        return file is self._own

    def refuse(self, document: Document, reason: str) -> None:
        """Write down what the store does not take."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / REFUSED).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**document, "refused_because": reason}) + "\n")

    def close(self) -> None:
        """Let other processes bring in what is left."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def forget_own(self) -> None:
        """Remove the own file, all of which is in the store."""
        if self._own is not None:
            self._own.remove()
            self._own = None


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # brought in meanwhile, perhaps by another process
        return 0
