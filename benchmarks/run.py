"""Run benchmarks, all or those named, and write docs/benchmarks.md: `make bench`, `python -m benchmarks.run NAME …`."""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import profile
from benchmarks.harness import lab, machine
from benchmarks.harness.http_load import LoadError
from benchmarks.harness.report import Report
from benchmarks.harness.results import PAGE, Result, keep
from benchmarks.headline import answering, loop, many_rows, servers, service, swap, workers
from benchmarks.more import batches, drift, grid, lookup, models, monitor, pages, problems, training, windows, writer
from common.settings import PROJECT

BENCHMARKS: Mapping[str, Callable[[], Report]] = {
    "answering": answering.measure,
    "servers": servers.measure,
    "many_rows": many_rows.measure,
    "profile": profile.measure,
    "service": service.measure,
    "problems": problems.measure,
    "workers": workers.measure,
    "swap": swap.measure,
    "lookup": lookup.measure,
    "writer": writer.measure,
    "models": models.measure,
    "loop": loop.measure,
    "training": training.measure,
    "grid": grid.measure,
    "batches": batches.measure,
    "drift": drift.measure,
    "windows": windows.measure,
    "pages": pages.measure,
    "monitor": monitor.measure,
}


def main(names: Sequence[str]) -> None:
    """Measure what is named, or all; say at the end what has failed."""
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    try:
        described = machine.description()
    except LoadError as error:
        sys.exit(f"{error}")
    # What a benchmark has started is stopped, too, when the run is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = measure(BENCHMARKS, names or list(BENCHMARKS), described)
    lab.say(f"written: {PAGE}")
    if failed:
        sys.exit(f"failed, as told above, and left as they were: {', '.join(failed)}")


def measure(
    benchmarks: Mapping[str, Callable[[], Report]], names: Sequence[str], described: str, folder: Path = PROJECT
) -> list[str]:
    """Measure; show what is found, and put it into the page, as it comes. One that fails does not end the others.

    Args:
        benchmarks: all that are on the page, by their names, in its order.
        names: those to measure.
        described: the machine.
        folder: where the page is, as in the project.

    Returns:
        The names of those that have failed.
    """
    failed = []
    for name in names:
        lab.say(f"— {name} —")
        begin, start = datetime.now(UTC), time.perf_counter()
        try:
            report = benchmarks[name]()
        except Exception:  # noqa: BLE001  # whatever it is, an hour of other measuring shall not be lost to it
            traceback.print_exc()
            failed.append(name)
            continue
        result = Result(f"{begin:%Y-%m-%d %H:%M}", time.perf_counter() - start, described, report)
        keep(name, result, list(benchmarks), folder)
        print(report.markdown(), flush=True)
    return failed


if __name__ == "__main__":
    main(sys.argv[1:])
