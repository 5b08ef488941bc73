"""Counts that outlive the process that counts: in memory that is a file, which all workers can read.

prometheus_client's own mode for several processes keeps every number in such a file, too. But there an increment takes
a lock that all numbers share, asks for the process id and packs bytes: it costs 1 µs more than one in memory, and a
dozen of them go into an answer. Adding to a double in place costs no more than adding to a float.
"""

import json
import mmap
import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import values
from prometheus_client.samples import Sample
from prometheus_client.values import MutexValue

PIECE = 64 * 1024  # bytes by which the file grows: a multiple of what can be mapped
CELLS = PIECE // 8


class Cells:
    """The counts of one worker: doubles in a file that is mapped into memory, and beside it their names, a line each.

    Whoever takes a worker's place opens the same files, and counts on from there.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        """Open the files of a place, or make them."""
        self._lock = Lock()
        self._counts, self._names = folder / f"{slot}.counts", folder / f"{slot}.names"
        self._counts.touch()
        self._names.touch()
        self._pieces = [self._piece(number) for number in range(self._counts.stat().st_size // PIECE)]
        known = whole_lines(self._names)
        self._places = {name: place for place, name in enumerate(known)}
        # What follows is what a process was writing when it was killed.
        os.truncate(self._names, sum(len(name) + 1 for name in known))

    def cell(self, name: bytes) -> "memoryview[float]":
        """Return the double of that name, as a view of length one; it is 0 if nobody has counted there yet."""
        with self._lock:
            place = self._places.get(name)
            if place is None:
                place = self._places[name] = self._make(name)
            start = place % CELLS
            return self._pieces[place // CELLS][start : start + 1]

    def _make(self, name: bytes) -> int:
        place = len(self._places)
        if place == len(self._pieces) * CELLS:
            # Written, not only reserved: where there is no room this fails, and not some later increment.
            with self._counts.open("ab") as counts:
                counts.write(bytes(PIECE))
            self._pieces.append(self._piece(len(self._pieces)))
        # After the double: whoever reads a name finds it.
        with self._names.open("ab") as names:
            names.write(name + b"\n")
        return place

    def _piece(self, number: int) -> "memoryview[float]":
        with self._counts.open("r+b") as counts:
            return memoryview(mmap.mmap(counts.fileno(), PIECE, offset=number * PIECE)).cast("d")


class SharedValue:
    """A number of prometheus_client's, in a cell."""

    def __init__(self, cell: "memoryview[float]") -> None:
        """Count on from what the cell holds."""
        self._cell = cell
        self._lock = Lock()

    def inc(self, amount: float) -> None:
        """Add to it."""
        with self._lock:
            self._cell[0] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002  # prometheus_client's signature
        """Replace it."""
        with self._lock:
            self._cell[0] = value

    def get(self) -> float:
        """Return it, as this place in the service has counted it."""
        return self._cell[0]

    def get_exemplar(self) -> None:
        """Return that there is none."""


def count_in(cells: Cells) -> None:
    """Keep in `cells` whatever prometheus_client's counters, histograms and summaries count from now on.

    Gauges stay in memory: of a process that has ended nothing remains to be shown.
    """

    def value(
        kind: str, metric: str, sample: str, names: Sequence[str], labels: Sequence[str], *more: Any, **how: Any
    ) -> Any:
        if kind == "gauge":
            return MutexValue(kind, metric, sample, names, labels, *more, **how)  # type: ignore[no-untyped-call]
        return SharedValue(cells.cell(cell_name(metric, sample, dict(zip(names, labels, strict=True)))))

    # Where prometheus_client itself puts the class for its mode with several processes.
    values.ValueClass = value


def cell_name(metric: str, sample: str, labels: Mapping[str, str]) -> bytes:
    """Return the name of a cell: those of the metric and of the sample, and the labels."""
    return json.dumps([metric, sample, labels]).encode()


def totals(folder: Path) -> dict[str, list[Sample]]:
    """Return what all workers have counted together, also those that have ended: samples by the metric's name.

    The buckets of a histogram each hold what fell into them alone; `cumulated` makes of them what Prometheus wants.
    """
    sums: Counter[bytes] = Counter()
    # In the same order each time: another would round otherwise, and a counter could go back.
    for path in sorted(folder.glob("*.names")):
        names = whole_lines(path)
        counts = array("d")
        with path.with_suffix(".counts").open("rb") as file:
            counts.frombytes(file.read(8 * len(names)))
        for name, count in zip(names, counts, strict=True):
            sums[name] += count  # type: ignore[assignment]  # a Counter adds floats as well
    found: dict[str, list[Sample]] = defaultdict(list)
    for name, total in sums.items():
        metric, sample, labels = json.loads(name)
        found[metric].append(Sample(sample, labels, total))
    return found


def cumulated(samples: Sequence[Sample]) -> list[Sample]:
    """Return a histogram's samples with each bucket as the number of what is not above its limit, and the count."""
    found = [sample for sample in samples if "le" not in sample.labels]
    running: Counter[tuple[str, ...]] = Counter()
    for sample in sorted((s for s in samples if "le" in s.labels), key=lambda s: float(s.labels["le"])):
        labels = {name: label for name, label in sample.labels.items() if name != "le"}
        running[tuple(labels.values())] += sample.value  # type: ignore[assignment]  # a Counter adds floats as well
        total = running[tuple(labels.values())]
        found.append(sample._replace(value=total))
        if sample.labels["le"] == "+Inf":
            found.append(Sample(sample.name.removesuffix("_bucket") + "_count", labels, total))
    return found


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file that have an end: the last may be on its way."""
    return path.read_bytes().split(b"\n")[:-1]
