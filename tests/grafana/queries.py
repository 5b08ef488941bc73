"""The PromQL of a dashboard, for all tests that run or read it."""

import json
from collections.abc import Iterator
from typing import Any

from grafana.build import DASHBOARDS as FOLDER

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
}


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield the panels that show data, including the panels of folded rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Json) -> list[str]:
    """Return the expressions of all panels with their variables, which `filled` replaces."""
    return [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]


def marks(dashboard: Json) -> list[str]:
    """Return the expressions of the marks; mostly they have no result."""
    return [mark["expr"] for mark in dashboard["annotations"]["list"]]


def filled(expr: str, problem: str = "iris", rate_interval: str = "1m") -> str:
    """Return the expression as Grafana sends it to Prometheus for the chosen problem."""
    return expr.replace("$problem", problem).replace("$__rate_interval", rate_interval)
