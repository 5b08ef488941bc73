"""Evidently's report about a day, as a page of its own. The only file that imports evidently, and only to write one."""

import importlib.util
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.store.monitoring.window_rows import WindowRow
from monitor.statistics.window import CLASS, CONFIDENCE

if TYPE_CHECKING:
    from evidently import Dataset


def can_report() -> bool:
    """Return whether evidently is installed."""
    return importlib.util.find_spec("evidently") is not None


def html_report(rows: Sequence[WindowRow], day_before: Sequence[WindowRow]) -> str:
    """Return how a day's predictions have drifted from those of the day before; of the first day, what they are."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # About what it uses of others: nothing that a reader of our log could change.
        warnings.simplefilter("ignore")
        file = Path(folder) / "report.html"
        _write(file, rows, day_before)
        return file.read_text(encoding="utf-8")


def _write(file: Path, rows: Sequence[WindowRow], day_before: Sequence[WindowRow]) -> None:
    from evidently import Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    preset = DataDriftPreset() if day_before else DataSummaryPreset()
    found = Report([preset]).run(_dataset(rows), _dataset(day_before) if day_before else None)
    found.save_html(str(file))


def _dataset(rows: Sequence[WindowRow]) -> "Dataset":
    import pandas as pd  # type: ignore[import-untyped]
    from evidently import DataDefinition, Dataset

    told = [{**row["features"], CLASS: row["class_name"], CONFIDENCE: row["confidence"]} for row in rows]
    frame = pd.DataFrame(told).dropna(axis="columns", how="all")
    names = [name for name in frame if frame[name].dtype.kind not in "if"]
    numbers = [name for name in frame if name not in names]
    return Dataset.from_pandas(frame, DataDefinition(numerical_columns=numbers, categorical_columns=names))
