"""Compare past days with a version's reference: `python -m monitor.past_drift --since DAY --until DAY --version N`.

It reads the log, or with `--exported FOLDER` the days that retention has written there, and changes nothing. The
statistics and the verdicts are those of the monitor's tab *Drift*.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import islice

from pydantic_core import from_json
from rich.console import Console
from rich.table import Table

from common.bundle.model import ModelError, OnnxModel
from common.exported_days import ExportError, read_days
from common.problem import ProblemError, get_problem
from common.registry.client import RegistryUnavailableError
from common.settings import Settings, SettingsError, load_settings
from common.store import Store, StoreError
from common.store.monitoring.window_rows import WindowRow
from common.store.trust.replays import ReplaySpan
from monitor.jobs.evaluation import MOST_ROWS
from monitor.page.tabs.drift_findings import findings, headline
from monitor.statistics.reference import Reference, read_reference
from monitor.statistics.window import Evaluation, evaluate
from trust.replay.replay import ReplayError
from trust.replay.span_arguments import add_span, check_span
from trust.replay.version import fetch_version

DAY = timedelta(days=1)


def days(
    settings: Settings, span: ReplaySpan, version: int, exported: str = ""
) -> Iterator[tuple[datetime, Evaluation]]:
    """Yield the beginning of each day of a span (UTC) with its evaluation against the reference of a version.

    Only the first 100 000 rows of an exported day count, and only the newest of a day in the log.

    Raises:
        ProblemError: there is no such problem.
        ReplayError: the span is empty, or the version is unknown or has no reference.
        RegistryUnavailableError: MLflow is away.
        StoreError: the store cannot be read.
        ExportError: a file of the exported days cannot be read.
    """
    check_span(span)
    reference = _reference(settings, get_problem(span.problem).onnx_name, version)
    with ExitStack() as stack:
        store = None if exported else stack.enter_context(closing(Store(settings.database_url)))
        begin = span.since
        while begin < span.until:
            end = min(begin.replace(hour=0, minute=0, second=0, microsecond=0) + DAY, span.until)
            if store:
                rows = store.window_rows.between(span.problem, begin, end, MOST_ROWS)
            else:
                rows = islice(_exported(exported, span.problem, begin, end), MOST_ROWS)
            yield begin, evaluate(rows, reference)
            begin = end


def _reference(settings: Settings, model_name: str, version: int) -> Reference:
    content = fetch_version(settings, model_name, version)
    try:
        reference = read_reference(version, OnnxModel(content, classes=["any"]).metadata)
    except ModelError as error:
        raise ReplayError(f"version {version} cannot be loaded: {error}") from error
    if reference is None:
        raise ReplayError(f"version {version} has no reference of its training rows to compare with")
    return reference


def _exported(folder: str, problem: str, since: datetime, until: datetime) -> Iterator[WindowRow]:
    for rows in read_days(folder, problem, since, until):
        for row in rows:
            if row["role"] == "champion":
                yield {
                    "model_name": row["model_name"],
                    "model_version": row["model_version"],
                    "features": from_json(row["features"]),
                    "class_name": row["class_name"],
                    "confidence": row["confidence"],
                    "is_outlier": row["is_outlier"],
                }


def main() -> None:
    """Print a line for each day that the command line names, and one for each subject that has drifted."""
    parser = argparse.ArgumentParser(prog="python -m monitor.past_drift", description=(__doc__ or "").splitlines()[0])
    add_span(parser)
    asked = parser.parse_args()
    console = Console()
    try:
        settings = load_settings()
        span = ReplaySpan(asked.problem or settings.problem, asked.since, asked.until)
        table = Table(
            title=f"Drift of {span.problem} from the reference of version {asked.version}", title_justify="left"
        )
        for name in ("from", "predictions", "verdict"):
            table.add_column(name, justify="right" if name == "predictions" else "left")
        with console.status("comparing days"):
            for begin, found in days(settings, span, asked.version, asked.exported):
                table.add_row(f"{begin.astimezone(UTC):%Y-%m-%d %H:%M}", f"{found.rows:,}", _words(found))
    except (ProblemError, SettingsError, StoreError, ExportError, RegistryUnavailableError, ReplayError) as error:
        sys.exit(f"drift: {error}")
    except KeyboardInterrupt:
        sys.exit("drift: stopped")
    console.print(table)


def _words(evaluation: Evaluation) -> str:
    if not evaluation.rows:
        return "no predictions"
    drifted = [f"{each.name}: {each.sentence}" for each in findings(evaluation) if each.level == "bad"]
    return "\n".join([headline(evaluation).text, *drifted])


if __name__ == "__main__":
    main()
