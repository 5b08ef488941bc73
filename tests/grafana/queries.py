"""The PromQL of a dashboard, for every test that runs or reads it."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield the panels that show data; those of folded rows, too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Json) -> list[str]:
    """Return the expressions of all panels as they are in the file: `filled` makes them complete."""
    return [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]


def marks(dashboard: Json) -> list[str]:
    """Return the expressions of the marks; most of the time they find nothing."""
    return [mark["expr"] for mark in dashboard["annotations"]["list"]]


def filled(expr: str, problem: str = "iris", rate_interval: str = "1m") -> str:
    """Return the expression as Grafana sends it to Prometheus, for the problem that a person has chosen."""
    return expr.replace("$problem", problem).replace("$__rate_interval", rate_interval)
