"""Changed answers as CSV: the row, what was served, what the replayed version answers, and the ground truth."""

import csv
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from common.csv_cells import harmless
from trust.replay.replay import ChangedAnswer

SERVED = ("served_version", "served_class", "served_confidence")
REPLAYED = ("replayed_version", "replayed_class", "replayed_confidence")


class ChangedAnswersCsv:
    """A CSV file under way, whose rows are given bit by bit."""

    def __init__(self, file: TextIO, version: int, columns: Sequence[str]) -> None:
        """Write the header.

        Args:
            file: a text file that was opened with `newline=""`.
            version: the number of the replayed version.
            columns: the names of the features.
        """
        self._writer = csv.writer(file)
        self._version, self._columns = version, columns
        header = ("prediction_id", "predicted_at", *columns, *SERVED, *REPLAYED, "ground_truth")
        self._writer.writerow([harmless(name) for name in header])

    def write(self, changed: Iterable[ChangedAnswer]) -> None:
        """Write a line for each changed answer; a ground truth that nobody has sent is empty."""
        for logged, class_name, confidence in changed:
            features = [logged.features.get(name) for name in self._columns]
            served = (logged.version, logged.class_name, logged.confidence)
            replayed = (self._version, class_name, confidence)
            line = (logged.id, logged.predicted_at.isoformat(), *features, *served, *replayed, logged.truth)
            self._writer.writerow([harmless(value) for value in line])


@contextmanager
def csv_file(path: Path) -> Iterator[TextIO]:
    """Open a text file for CSV that appears at `path` when the block ends; after an error nothing of it is left.

    Raises:
        OSError: the folder cannot be written, or `path` itself is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
