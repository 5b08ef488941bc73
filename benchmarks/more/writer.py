"""Writing predictions and ground truth: rows per second, against the database's driver alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TypeVar

from benchmarks.harness import lab
from benchmarks.harness.databases import DatabasePair, postgresql, sqlite
from benchmarks.harness.report import Report, ratio
from benchmarks.harness.rows import prediction_rows
from common.problem import Problem, get_problem

BATCHES = (1, 100, 500, 2000)
ROUNDS = 7
ROUND_SECONDS = 0.4  # of each cell of the table in each round
FEEDBACK = 50  # messages written one after the other for each timing
TEXT = (
    "*Store*: the store looks for rows that it already has, inserts, counts by day and class, and looks for feedback "
    "that came before its prediction. *Bare driver*: the database's driver inserts the same rows, whose values are "
    "ready, into the same table of another database by `executemany`. A batch of predictions is one transaction. It "
    "survives the end of the process, but need not survive a loss of power. A message of feedback must survive both: "
    "it is a transaction of its own, in which the store looks for the prediction, inserts and counts; the bare driver "
    f"inserts. The figures are medians of {ROUNDS}, measured in turn."
)

Rows = TypeVar("Rows")


def measure() -> Report:
    """Write through the store and the bare driver in turn, on SQLite and on PostgreSQL."""
    with lab.lab() as settings, ExitStack() as stack:
        problem = get_problem(settings.problem)
        pairs = [stack.enter_context(sqlite(settings.lab_home)), stack.enter_context(postgresql())]
        found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}")
            for pair in pairs:
                for what, (bare, store) in rates(pair, problem):
                    both = found.setdefault((pair.name, what), ([], []))
                    both[0].append(bare)
                    both[1].append(store)
    rows = [(pair, what, *_rates(*both)) for (pair, what), both in found.items()]
    return Report("Writing predictions and feedback", TEXT, ("", "", "bare driver", "store", "ratio"), rows)


def rates(pair: DatabasePair, problem: Problem) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield a kind of transaction, and its rows per second through the bare driver and through the store."""
    new = partial(prediction_rows, problem)
    for size in BATCHES:
        bare = rate(lambda count: pair.predictions(new(count)), pair.write_bare, size)
        store = rate(new, pair.store.predictions.write, size)
        yield f"{size} prediction{'s' if size > 1 else ''} a transaction", (bare, store)
    bare = rate(lambda count: pair.feedback(new(count)), pair.write_feedback_bare, FEEDBACK)
    yield "1 feedback a transaction", (bare, rate(lambda count: pair.stored(new(count)), pair.write_feedback, FEEDBACK))


def rate(make: Callable[[int], Rows], write: Callable[[Rows], object], size: int) -> float:
    """Return how many rows a second `write` writes, `size` at a time; `make` makes them and is not timed."""
    written, spent = 0, 0.0
    while spent < ROUND_SECONDS:
        rows = make(size)
        start = time.perf_counter()
        write(rows)
        spent += time.perf_counter() - start
        written += size
    return written / spent


def _rates(bare: Sequence[float], store: Sequence[float]) -> tuple[str, str, str]:
    unit, value = median(bare), median(store)
    return f"{unit:.0f}/s", f"{value:.0f}/s", ratio(value, unit)
