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
OWN_WARM_UP = {"prefect": 1800.0}  # Prefect remembers each event for half an hour (SEEN_EXPIRATION)
MEMORY = "the anonymous part of the proportional set size (Pss_Anon in Linux), which has no libraries"
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


def slope(samples: Sequence[Sample], measure: str, warm_up: float = WARM_UP_SECONDS) -> Slope | None:
    """Return the common slope of all lives of a part, each with a level of its own; None if there is too little.

    This is the within estimator of a panel with fixed effects: least squares on the distances from the means of each
    life (J. Wooldridge, Introductory Econometrics, chapter 14). Each minute counts as one sample, its median, so that
    a child process of a few seconds is no growth. The interval is that of Student's t; where minutes that follow each
    other are alike, it is too narrow.

    Args:
        samples: in the order of time.
        measure: the name of a field of `Sample`.
        warm_up: the first seconds of each life, which do not count.
    """
    lives: dict[int, list[Sample]] = {}
    for each in samples:
        lives.setdefault(each.life, []).append(each)
    kept = [blocks for life in lives.values() if len(blocks := _blocks(life, measure, warm_up)) > 1]
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


def _blocks(life: Sequence[Sample], measure: str, warm_up: float) -> npt.NDArray[np.float64]:
    """Return the median hour and the median measure of each minute of a life after its warm-up, shape (minutes, 2)."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for one in life:
        if (age := one.at - life[0].at) >= warm_up:
            blocks.setdefault(int(age // BLOCK_SECONDS), []).append((one.at / 3600, getattr(one, measure)))
    return np.array([np.median(block, axis=0) for block in blocks.values()])


def memory(samples: Sequence[Sample], minutes: Sequence[int]) -> list[float | None]:
    """Return the median of the memory in some of the minutes, 1 for the first one, and in the last 60 s, in MB.

    None stands for a minute without a sample.
    """
    first, end = samples[0].at, samples[-1].at + SAMPLE_SECONDS
    starts = [*(first + (minute - 1) * BLOCK_SECONDS for minute in minutes), end - BLOCK_SECONDS]
    found = [[each.memory_mb for each in samples if 0 <= each.at - start < BLOCK_SECONDS] for start in starts]
    return [round(median(block), 1) if block else None for block in found]


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

    Memory is the anonymous part of the proportional set size: what parent and children share counts once. Files in
    memory, such as libraries, do not count, because each other program that ends makes a part's share of them larger.
    Nor do the shared buffers of PostgreSQL, which fill up to a limit.
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
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(text.partition("Pss_Anon:")[2].split()[0]) * 1024 / 1e6
