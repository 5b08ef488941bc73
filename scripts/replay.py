"""Ask another version the rows of a logged time: `python -m scripts.replay --since DAY --until DAY --version N`.

It reads the store and MLflow, and changes nothing. See trust/replay/replay.py.
"""

import argparse
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from common.exported_days import ExportError
from common.problem import ProblemError, get_problem
from common.registry.client import RegistryUnavailableError
from common.settings import Settings, SettingsError, load_settings
from common.store import Store, StoreError
from common.store.trust.replays import ReplaySpan
from scripts.replay_tables import tables
from trust.replay.changed_csv import ChangedAnswersCsv, csv_file
from trust.replay.exported import exported_chunks
from trust.replay.figures import summary_of
from trust.replay.replay import Replay, ReplayError
from trust.replay.span_arguments import add_span, check_span
from trust.replay.summary import ReplaySummary
from trust.replay.version import load_version


def run(
    settings: Settings, span: ReplaySpan, version: int, path: Path | None = None, exported: str = ""
) -> ReplaySummary:
    """Replay a span, with a progress bar on standard error; write the changed answers to `path`, if it is given.

    The rows come from the log, or from the days that were exported to the folder `exported`.

    Raises:
        ProblemError: there is no such problem.
        ReplayError: the version is unknown or of another problem, or the log has no rows of the span.
        RegistryUnavailableError: MLflow is away.
        StoreError: the store cannot be read.
        ExportError: a file of the exported days cannot be read.
        OSError: the file cannot be written.
    """
    check_span(span)
    name = get_problem(span.problem).onnx_name
    with ExitStack() as stack:
        replay = Replay(load_version(settings, span.problem, name, version))
        store = stack.enter_context(closing(Store(settings.database_url)))
        lines = None
        if path:
            lines = ChangedAnswersCsv(stack.enter_context(csv_file(path)), version, list(replay.version.columns))
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        console = Console(stderr=True)
        bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        progress = stack.enter_context(bar)
        task = progress.add_task("rows", total=None if exported else store.trust.replays.count(span))
        trusted_only = settings.has_keys
        chunks = store.trust.replays.chunks(span, trusted_only=trusted_only)
        if exported:
            chunks = exported_chunks(exported, span, trusted_only=trusted_only)
        for rows, changed in replay.run(chunks):
            progress.advance(task, rows)
            if lines:
                lines.write(changed)
        return summary_of(replay)


def main() -> None:
    """Replay the span that the command line names."""
    asked = _arguments()
    # A program that is asked to end leaves no half-written file behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        settings = load_settings()
        span = ReplaySpan(asked.problem or settings.problem, asked.since, asked.until)
        found = run(settings, span, asked.version, asked.csv, asked.exported)
    except (ProblemError, SettingsError, StoreError, ExportError, RegistryUnavailableError, ReplayError) as error:
        sys.exit(f"replay: {error}")
    except OSError as error:
        sys.exit(f"replay: {asked.csv} cannot be written: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("replay: stopped; nothing was written")
    console = Console()
    for each in tables(span.problem, found):
        console.print(each)
    if asked.csv:
        console.print(f"{found.changed:,} changed answers: {asked.csv}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.replay", description=(__doc__ or "").splitlines()[0])
    add_span(parser)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the changed answers to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
