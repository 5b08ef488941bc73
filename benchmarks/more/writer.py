"""Writing predictions and ground truth: rows per second, against the database's driver alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TypeVar

from benchmarks.harness import lab
from benchmarks.harness.databases import Place, postgresql, sqlite
from benchmarks.harness.report import Report, ratio
from benchmarks.harness.rows import prediction_rows
from common.problem import Problem, get_problem

BATCHES = (1, 100, 500, 2000)
ROUNDS = 7
ROUND_SECONDS = 0.4  # of each cell of the table in each round
TRUTHS = 50  # told one after the other between two looks at the clock
TEXT = (
    "Through the store, which looks for rows that are there already, inserts, counts by day and class, and looks for "
    "truths that came first; and through the bare driver, which inserts the same rows into the same table of another "
    "database by `executemany`, the values ready made. A batch is one transaction: it survives the end of the process, "
    "but need not survive a loss of power. A truth must: it is a transaction of its own, which looks for the "
    f"prediction, inserts and counts; bare, it inserts. Both in turn, {ROUNDS} times; medians."
)

Rows = TypeVar("Rows")


def measure() -> Report:
    """Write through the store and the bare driver in turn, on SQLite and on PostgreSQL."""
    with lab.lab() as settings, ExitStack() as stack:
        problem = get_problem(settings.problem)
        places = [stack.enter_context(sqlite(settings.lab_home)), stack.enter_context(postgresql())]
        found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}")
            for place in places:
                for what, (bare, store) in rates(place, problem):
                    both = found.setdefault((place.name, what), ([], []))
                    both[0].append(bare)
                    both[1].append(store)
    rows = [(place, what, *_rates(*both)) for (place, what), both in found.items()]
    return Report("Writing the log, and the truth", TEXT, ("", "", "bare driver", "store", "ratio"), rows)


def rates(place: Place, problem: Problem) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield what is written, and the rows per second of the bare driver and of the store."""
    new = partial(prediction_rows, problem)
    for size in BATCHES:
        bare = rate(lambda count: place.predictions(new(count)), place.write_bare, size)
        store = rate(new, place.store.predictions.write, size)
        yield f"{size} prediction{'s' if size > 1 else ''} a transaction", (bare, store)
    bare = rate(lambda count: place.truths(new(count)), place.tell_bare, TRUTHS)
    yield "a truth", (bare, rate(lambda count: place.known(new(count)), place.tell, TRUTHS))


def rate(make: Callable[[int], Rows], write: Callable[[Rows], None], size: int) -> float:
    """Return how many rows a second are written, if so many are made (which is not timed) and written at once."""
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
