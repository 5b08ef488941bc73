"""Memory, open files and threads of each part over time, and how fast they grow."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import psutil
from scipy import stats

from tests.soak.parts import Part

SAMPLE_SECONDS = 2.0
WARM_UP_SECONDS = 600.0  # of each life: imports, caches, connections, and the memory pools of all threads fill
LEVEL = 0.95
BLOCK_SECONDS = 60.0  # samples that follow each other are alike, so their means count
LEAST = 10  # blocks for a slope


class Sample(NamedTuple):
    """A part at one moment. `life` changes when the part is started again."""

    at: float
    life: int
    memory_mb: float
    files: float
    threads: float


class Slope(NamedTuple):
    """The growth in an hour, with the ends of its 95 % interval, from so many minutes."""

    per_hour: float
    low: float
    high: float
    minutes: int


def slope(samples: Sequence[Sample], measure: str) -> Slope | None:
    """Return the common slope of all lives of a part, each with a level of its own; None if there is too little.

    This is the within estimator of a panel with fixed effects: least squares on the distances from the means of each
    life (J. Wooldridge, Introductory Econometrics, chapter 14). Each minute counts as one sample, its mean. The
    interval is that of Student's t; where minutes that follow each other are alike, it is too narrow.
    """
    lives: dict[int, list[Sample]] = {}
    for each in samples:
        lives.setdefault(each.life, []).append(each)
    kept = [blocks for life in lives.values() if len(blocks := _blocks(life, measure)) > 1]
    n = sum(map(len, kept))
    free = n - len(kept) - 1
    if n < LEAST or free < 1:
        return None
    x, y = np.concatenate([blocks - blocks.mean(axis=0) for blocks in kept]).T
    spread = float(x @ x)
    found = float(x @ y) / spread
    error = float(np.sqrt(np.sum((y - found * x) ** 2) / free / spread))
    half = float(stats.t.ppf((1 + LEVEL) / 2, free)) * error
    return Slope(found, found - half, found + half, n)


def _blocks(life: Sequence[Sample], measure: str) -> npt.NDArray[np.float64]:
    """Return the mean hour and the mean measure of each minute of a life after its warm-up, shape (minutes, 2)."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for one in life:
        if (age := one.at - life[0].at) >= WARM_UP_SECONDS:
            blocks.setdefault(int(age // BLOCK_SECONDS), []).append((one.at / 3600, getattr(one, measure)))
    return np.array([np.mean(block, axis=0) for block in blocks.values()])


def last_memory(samples: Sequence[Sample]) -> float:
    """Return the median of the memory in the last minute, in MB."""
    return round(median(each.memory_mb for each in samples if each.at > samples[-1].at - 60), 1)


class Sampler(threading.Thread):
    """Takes samples of all parts until `over`."""

    def __init__(self, parts: Mapping[str, Part], over: threading.Event) -> None:
        """Watch `parts`."""
        super().__init__(name="samples")
        self._parts, self._over = parts, over
        self.samples: dict[str, list[Sample]] = {name: [] for name in parts}

    def forget(self) -> None:
        """Forget the samples so far."""
        for found in self.samples.values():
            found.clear()

    def run(self) -> None:
        """Take samples."""
        while not self._over.wait(SAMPLE_SECONDS):
            for name, part in self._parts.items():
                if found := sample(part):
                    self.samples[name].append(found)


def sample(part: Part) -> Sample | None:
    """Return a sample of a part with its children; None if it does not run, or changes meanwhile.

    Memory is the proportional set size: what several processes share counts once. The shared buffers of PostgreSQL do
    not count, because they fill up to a limit.
    """
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        found = part.processes()
        if found:
            memory = sum(_memory_mb(each.pid) for each in found)
            files = sum(each.num_fds() for each in found)
            threads = sum(each.num_threads() for each in found)
            return Sample(time.time(), found[0].pid, memory, files, threads)
    return None


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines[1:])}
    return (kilobytes["Pss"] - kilobytes["Pss_Shmem"]) * 1024 / 1e6
