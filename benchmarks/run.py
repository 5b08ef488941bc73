"""Run benchmarks, all or those named, and write docs/benchmarks.md: `make bench`, `python -m benchmarks.run NAME …`."""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from benchmarks import (
    answering,
    batches,
    drift,
    http_load,
    lab,
    lookup,
    loop,
    machine,
    many_rows,
    models,
    monitor,
    pages,
    problems,
    servers,
    service,
    swap,
    training,
    windows,
    writer,
)
from benchmarks.report import Report
from benchmarks.results import PAGE, Result, keep
from common.settings import PROJECT

BENCHMARKS: Mapping[str, Callable[[], Report]] = {
    "answering": answering.measure,
    "servers": servers.measure,
    "many_rows": many_rows.measure,
    "service": service.measure,
    "problems": problems.measure,
    "swap": swap.measure,
    "lookup": lookup.measure,
    "writer": writer.measure,
    "models": models.measure,
    "loop": loop.measure,
    "training": training.measure,
    "batches": batches.measure,
    "drift": drift.measure,
    "windows": windows.measure,
    "pages": pages.measure,
    "monitor": monitor.measure,
}


def main(names: Sequence[str]) -> None:
    """Measure; show what is found, and put it into the page, as it comes. One that fails does not end the others."""
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    try:
        http_load.sender()
    except http_load.LoadError as error:
        sys.exit(f"{error}")
    # What a benchmark has started is stopped, too, when the run is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = [name for name in names or BENCHMARKS if not measured(name)]
    lab.say(f"written: {PAGE.relative_to(PROJECT)}")
    if failed:
        sys.exit(f"these have failed, as told above, and stay as they were: {', '.join(failed)}")


def measured(name: str) -> bool:
    """Run one benchmark; return whether it came to its end."""
    lab.say(f"— {name} —")
    start, begin = time.perf_counter(), datetime.now(UTC)
    try:
        report = BENCHMARKS[name]()
    except Exception:  # noqa: BLE001  # whatever it is, hours of other measuring shall not be lost to it
        traceback.print_exc()
        return False
    took = time.perf_counter() - start
    keep(name, Result(f"{begin:%Y-%m-%d %H:%M}", took, machine.description(), report), order=list(BENCHMARKS))
    print(report.markdown(), flush=True)
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
