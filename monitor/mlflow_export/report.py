"""Evidently's report about a day, as an HTML page. Only this file imports evidently, and only while it writes one."""

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
    """Return a report of a day's drift from the day before as HTML; for the first day, a summary of its rows."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # Evidently's warnings concern its own dependencies; a reader of our log could do nothing about them.
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.presets import DataDriftPreset, DataSummaryPreset

        preset = DataDriftPreset() if day_before else DataSummaryPreset()
        found = Report([preset]).run(_dataset(rows), _dataset(day_before) if day_before else None)
        file = Path(folder) / "report.html"
        found.save_html(str(file))
        return file.read_text(encoding="utf-8")


def _dataset(rows: Sequence[WindowRow]) -> "Dataset":
    import pandas as pd  # type: ignore[import-untyped]
    from evidently import DataDefinition, Dataset

    records = [{**row["features"], CLASS: row["class_name"], CONFIDENCE: row["confidence"]} for row in rows]
    frame = pd.DataFrame(records).dropna(axis="columns", how="all")
    names = [name for name in frame if frame[name].dtype.kind not in "if"]
    numbers = [name for name in frame if name not in names]
    return Dataset.from_pandas(frame, DataDefinition(numerical_columns=numbers, categorical_columns=names))
