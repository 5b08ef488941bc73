"""The tabs of the page, in order. Each module builds one tab from a `View`; open `overview.py` first."""

from collections.abc import Sequence

from monitor.page.panels import Tab
from monitor.page.tabs import classes, comparison, corrections, drift, metrics, overview, predictions, samples, training

__all__ = ["TABS"]

TABS: Sequence[Tab] = (
    Tab("overview", "Overview", overview.build),
    Tab("metrics", "Metrics", metrics.build),
    Tab("samples", "Samples by class", samples.build),
    Tab("classes", "Metrics by class", classes.build),
    Tab("training", "Training data", training.build),
    Tab("drift", "Drift", drift.build),
    Tab("comparison", "Champion and challenger", comparison.build),
    Tab("corrections", "Corrections", corrections.build),
    Tab("predictions", "Predictions", predictions.build, searchable=True),
)
