"""What panels of several tabs are made of: columns, cells, and words for when there is nothing."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from monitor.page.formatting import shown
from monitor.page.panels import Cell, Column, Kind
from monitor.page.source import Source
from monitor.statistics.estimates import Estimate

NO_PREDICTIONS = (
    "Nothing was predicted in these days by these versions. Choose others, or send rows: POST /predict at the api, or "
    "python -m scripts.traffic for a minute of them."
)
NO_LABELS = (
    "No truth is known about the predictions of these days. Tell it: POST /feedback at the api, with a prediction_id "
    "and the right class_name."
)
NO_CORRECTIONS = (
    "No correction came in these days. Send one: POST /suggest at the api, with the features and the right class_name."
)
METRIC_LABELS = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "specificity": "Specificity",
}


def figures(kind: Kind) -> list[Column]:
    """Return the columns of a panel of figures, whose values are of this kind."""
    value = Column(name="value", label="Value", kind=kind, low="low", high="high")
    ends = [Column(name=name, label=label, kind=kind) for name, label in (("low", "From"), ("high", "To"))]
    return [Column(name="name", label="Figure"), value, *ends, Column(name="text", label="Remark")]


def estimate_columns(name: str, label: str) -> list[Column]:
    """Return the columns of a metric and the ends of its interval."""
    low, high = f"{name}_low", f"{name}_high"
    return [
        Column(name=name, label=label, kind="ratio", low=low, high=high),
        Column(name=low, label=f"{label}, from", kind="ratio"),
        Column(name=high, label=f"{label}, to", kind="ratio"),
    ]


def estimate_cells(estimate: Estimate | None) -> list[Cell]:
    """Return the cells of such columns."""
    found = estimate or Estimate()
    return [found.value, found.low, found.high]


def class_columns(classes: Sequence[str]) -> list[Column]:
    """Return a column of counts for each class."""
    return [Column(name=f"class:{name}", label=name, kind="integer") for name in classes]


def share(part: float, whole: float) -> float | None:
    """Return a part as share of the whole; None if there is nothing."""
    return part / whole if whole else None


def percent(part: float, whole: float) -> str:
    """Return a share in words."""
    return shown(part / whole, "ratio") if whole else "none"


def moment(at: datetime | None) -> str | None:
    """Return a moment as a cell."""
    return at.isoformat() if at else None


def version_link(source: Source, model_name: str, version: int | None) -> str | None:
    """Return a link to a version in MLflow."""
    if version is None:
        return None
    if not model_name:  # nothing was predicted yet
        return f"version {version}"
    return f"version {version}|{source.mlflow_url}/#/models/{quote(model_name)}/versions/{version}"


def flow_run_link(source: Source, flow_run_id: str | None) -> str | None:
    """Return a link to a flow run in Prefect."""
    return f"flow run|{source.prefect_url}/runs/flow-run/{quote(flow_run_id)}" if flow_run_id else None
