"""Run benchmarks and write docs/benchmarks.md: `make bench`, `python -m benchmarks.run [--print] [NAME …]`."""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import profile
from benchmarks.harness import lab, machine
from benchmarks.harness.http_load import LoadError
from benchmarks.harness.report import Report
from benchmarks.harness.results import ON_REQUEST, PAGE, Result, keep
from benchmarks.headline import answering, loop, many_rows, servers, service, swap, workers
from benchmarks.more import (
    attacks_rounds,
    attacks_rows,
    attacks_streams,
    batches,
    costs,
    drift,
    extras,
    grid,
    judging,
    lineage,
    lookup,
    models,
    monitor,
    pages,
    probation,
    problems,
    replay,
    ten_million,
    training,
    windows,
    writer,
)
from common.settings import PROJECT

BENCHMARKS: Mapping[str, Callable[[], Report]] = {
    "answering": answering.measure,
    "servers": servers.measure,
    "many_rows": many_rows.measure,
    "profile": profile.measure,
    "service": service.measure,
    "problems": problems.measure,
    "extras": extras.measure,
    "workers": workers.measure,
    "swap": swap.measure,
    "lookup": lookup.measure,
    "writer": writer.measure,
    "costs": costs.measure,
    "models": models.measure,
    "loop": loop.measure,
    "judging": judging.measure,
    "probation": probation.measure,
    "attacks_rows": attacks_rows.measure,
    "attacks_changed": attacks_rounds.measure_changed,
    "attacks_streams": attacks_streams.measure,
    "attacks_liar": attacks_rounds.measure_liar,
    "training": training.measure,
    "grid": grid.measure,
    "batches": batches.measure,
    "drift": drift.measure,
    "windows": windows.measure,
    "pages": pages.measure,
    "monitor": monitor.measure,
    "lineage": lineage.measure,
    "replay": replay.measure,
    "ten_million_sqlite": ten_million.measure_sqlite,
    "ten_million_postgresql": ten_million.measure_postgresql,
}


def main(arguments: Sequence[str]) -> None:
    """Measure the named benchmarks, or all but those of `ON_REQUEST`; end with an error that names those that failed.

    `attacks` names all benchmarks whose names begin with `attacks_`, and so does any other beginning.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=f"Measure, and write {PAGE}.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"default: all but ten_million; {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--print", action="store_true", dest="only_print", help="print the tables and write no file")
    asked = parser.parse_args(arguments)
    names, unknown = chosen(asked.names, BENCHMARKS)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    try:
        described = machine.description()
    except LoadError as error:
        sys.exit(f"{error}")
    # On SIGTERM the run exits as on an error, so that the benchmark under way stops the servers that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = names or [name for name in BENCHMARKS if name not in ON_REQUEST]
    failed = measure(BENCHMARKS, names, described, None if asked.only_print else PROJECT)
    if not asked.only_print:
        lab.say(f"written: {PAGE}")
    if failed:
        sys.exit(f"failed with the errors above, earlier results kept: {', '.join(failed)}")


def chosen(asked: Sequence[str], known: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the benchmarks that the names mean, each once, and the names that mean none."""
    meant = {each: [name for name in known if name == each or name.startswith(f"{each}_")] for each in asked}
    names = dict.fromkeys(name for found in meant.values() for name in found)
    return list(names), [each for each, found in meant.items() if not found]


def measure(
    benchmarks: Mapping[str, Callable[[], Report]], names: Sequence[str], described: str, folder: Path | None
) -> list[str]:
    """Run benchmarks; print each report and put it into the page as soon as it is there.

    A benchmark that fails does not stop the benchmarks after it.

    Args:
        benchmarks: all benchmarks by name, in the order of the page.
        names: the benchmarks to run.
        described: a description of the machine.
        folder: the folder that holds the results and the page, as the project does; None to write nothing.

    Returns:
        The names of the benchmarks that failed.
    """
    failed = []
    for name in names:
        lab.say(f"— {name} —")
        begin, start = datetime.now(UTC), time.perf_counter()
        try:
            report = benchmarks[name]()
        except Exception:  # noqa: BLE001  # no error of one benchmark may cost an hour of other measuring
            traceback.print_exc()
            failed.append(name)
            continue
        if folder:
            result = Result(f"{begin:%Y-%m-%d %H:%M}", time.perf_counter() - start, described, report)
            keep(name, result, list(benchmarks), folder)
        print(report.markdown(), flush=True)
    return failed


if __name__ == "__main__":
    main(sys.argv[1:])
