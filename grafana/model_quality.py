"""The dashboard *Model quality*: how often champion and challenger are right, by the ground truth so far."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import quality_measures, quality_tables, quality_window
from grafana.frame import Section, frame


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("In service now: champion and challenger", quality_measures.now()),
        Section("Confusion", quality_tables.confusion()),
        Section("By class and by version", quality_tables.by_class_and_version()),
        Section("Over time", quality_measures.over_time()),
        Section("The newest rows", quality_window.newest_rows()),
        Section("Challenger", (quality_window.challenger_rows(),)),
    )
    about = "How often are champion and challenger right, by the ground truth so far?"
    return frame("lab-model-quality", "Model quality", about, sections)
