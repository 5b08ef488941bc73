"""Run all benchmarks and write docs/benchmarks.md: `make bench`."""

import signal
import sys
from collections.abc import Callable

from benchmarks import (
    answering,
    batches,
    drift,
    lab,
    lookup,
    loop,
    machine,
    models,
    monitor,
    pages,
    problems,
    service,
    swap,
    training,
    windows,
    workers,
    writer,
)
from benchmarks.report import Report
from common.files import write_atomic
from common.settings import PROJECT

BENCHMARKS: dict[str, Callable[[], Report]] = {
    "service": service.measure,
    "answering": answering.measure,
    "problems": problems.measure,
    "workers": workers.measure,
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
INTRODUCTION = """# Benchmarks

Made by `make bench` (`python -m benchmarks.run`), all in one run. Seconds and megabytes depend on the machine; the
ratios, to something measured beside it in the same run, do so much less. `python -m benchmarks.<name>` runs one of
them alone: {names}.

{machine}
"""


def main() -> None:
    """Measure, show what is found as it comes, and write the page."""
    # What a benchmark has started is stopped, too, when the run is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    introduction = INTRODUCTION.format(names=", ".join(BENCHMARKS), machine=machine.description())
    found = []
    for name, measure in BENCHMARKS.items():
        lab.say(f"— {name} —")
        found.append(measure().markdown())
        print(found[-1], flush=True)
    page = PROJECT / "docs" / "benchmarks.md"
    write_atomic(page, "\n".join([introduction, *found]).encode())
    lab.say(f"written: {page.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
