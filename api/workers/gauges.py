"""Gauges of all workers: each puts its own where the others find them, and who is asked shows them as one service's."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.samples import Sample

# How one number is made of those of the workers that live. What is not listed tells a version: of such gauges only one
# worker's are shown, that of whose version changed last, since a swap reaches the others a moment later.
RULES: Mapping[str, Callable[[Iterable[float]], float]] = {
    "prediction_log_waiting_rows": sum,
    "prediction_log_lag_seconds": max,
    "process_virtual_memory_bytes": sum,
    "process_resident_memory_bytes": sum,
    "process_open_fds": sum,
    "process_max_fds": sum,
    "process_start_time_seconds": min,
}

Series = tuple[tuple[str, str], ...]


class Gauges:
    """The gauges of one worker: a file that holds them as they are, for as long as the worker lives."""

    def __init__(self, path: Path) -> None:
        """Show them in the file at `path`."""
        self._path = path
        self._versions: dict[str, set[tuple[str, Series, float]]] = defaultdict(set)
        self._changed: dict[str, float] = {}

    def publish(self, families: Sequence[Metric]) -> None:
        """Replace the file by what the gauges say now; for one thread at a time."""
        self._note_changes(families)
        shown = {family.name: [(s.labels, s.value) for s in family.samples] for family in families}
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"changed": self._changed, "gauges": shown}), encoding="utf-8")
        draft.replace(self._path)

    def _note_changes(self, families: Iterable[Metric]) -> None:
        versions: dict[str, set[tuple[str, Series, float]]] = defaultdict(set)
        for family in families:
            for sample in family.samples if family.name not in RULES else ():
                versions[_role(sample.labels)].add((family.name, tuple(sample.labels.items()), sample.value))
        for role in versions.keys() | self._versions.keys():
            if versions[role] != self._versions[role]:
                self._changed[role] = time.monotonic()  # the machine's: of all processes the same
        self._versions = versions


def together(folder: Path) -> dict[str, list[Sample]]:
    """Return the gauges of the workers that live as one service's: samples by the metric's name."""
    workers = []
    for path in folder.glob("*.gauges"):
        with suppress(FileNotFoundError):  # its worker has just ended
            workers.append(json.loads(path.read_bytes()))
    names = {name for worker in workers for name in worker["gauges"]}
    return {name: _ruled(name, workers) if name in RULES else _newest(name, workers) for name in names}


def _ruled(name: str, workers: Iterable[Mapping[str, Any]]) -> list[Sample]:
    found: dict[Series, list[float]] = defaultdict(list)
    for worker in workers:
        for labels, value in worker["gauges"].get(name, []):
            found[tuple(labels.items())].append(value)
    return [Sample(name, dict(labels), RULES[name](each)) for labels, each in found.items()]


def _newest(name: str, workers: Iterable[Mapping[str, Any]]) -> list[Sample]:
    newest: dict[str, tuple[float, list[Sample]]] = {}
    for worker in workers:
        for role, changed in worker["changed"].items():
            if role not in newest or newest[role][0] < changed:
                shown = worker["gauges"].get(name, [])
                newest[role] = (
                    changed,
                    [Sample(name, labels, value) for labels, value in shown if _role(labels) == role],
                )
    return [sample for _, samples in newest.values() for sample in samples]


def _role(labels: Mapping[str, str]) -> str:
    return labels.get("role", "")
