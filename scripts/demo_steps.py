"""The steps of the demo that talk to the api over HTTP, or read its store: correct, wait for versions and alerts."""

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from common.problem import Problem, Value
from common.settings import Settings
from common.store import Store
from common.store.monitoring.alerts import Alert, Breach
from common.store.suggestions import TRAIN_AT
from common.table import read_table
from scripts.parts import wait_for

PATIENCE = 120.0
MOST_ROWS = 500

Row = tuple[dict[str, Value], str]  # features by name, and the name of the class


class DemoError(RuntimeError):
    """A hop of the loop did not end as it should."""


def rows_of(path: Path, problem: Problem) -> list[Row]:
    """Return the first rows of train.csv or test.csv, at most `MOST_ROWS`."""
    table = read_table(path, problem, indices=True)
    return [
        (dict(zip(problem.columns, row, strict=True)), problem.target.classes[label])
        for row, label in zip(table.X[:MOST_ROWS].tolist(), table.y[:MOST_ROWS].tolist(), strict=True)
    ]


def least_sure(api: httpx.Client, rows: list[Row]) -> list[dict[str, Any]]:
    """Return corrections of the least certain predictions, which a person would be asked about first."""
    data = [list(features.values()) for features, _ in rows]
    answers = api.post("/predict", json={"data": data}).raise_for_status().json()["predictions"]
    order = sorted(range(len(rows)), key=lambda index: max((answers[index]["probabilities"] or {"": 0.0}).values()))
    return [
        {**rows[index][0], "class_name": rows[index][1], "prediction_id": answers[index]["prediction_id"]}
        for index in order[:TRAIN_AT]
    ]


def served_version(api: httpx.Client) -> int | None:
    """Return the number of the version that serves; None while there is none."""
    response = api.get("/predict/test")
    return int(response.json()["model_version"]) if response.is_success else None


def correct(api: httpx.Client, corrections: list[dict[str, Any]]) -> dict[str, Any]:
    """Send corrections, and wait for the verdict; return the status of the last correction."""
    for correction in corrections:
        suggestion_id = api.post("/suggest", json=correction).raise_for_status().json()["suggestion_id"]

    def settled() -> dict[str, Any] | None:
        status: dict[str, Any] = api.get(f"/suggest/{suggestion_id}").raise_for_status().json()
        return status if status["judgement"] else None

    return wait_for("the fine-tuning", settled, PATIENCE)


def learn(api: httpx.Client, corrections: list[dict[str, Any]]) -> dict[str, Any]:
    """Send corrections, and wait until the version that has learnt them serves; return their status."""
    status = correct(api, corrections)
    wanted = status["model_version"]
    if wanted is None:
        raise DemoError(f"the corrections led to no version: {status['detail']}")
    wait_for("serving the fine-tuned version", lambda: served_version(api) == wanted, PATIENCE)
    return status


def wait_for_alert(settings: Settings, problem: Problem, breach: Breach) -> Alert:
    """Wait until the monitor begins an alert; return it."""
    with closing(Store(settings.database_url)) as store:

        def begun() -> list[Alert]:
            return [each for each in store.alerts.open(problem.name) if (each.kind, each.subject) == breach]

        return wait_for(f"an alert: {breach}", begun, PATIENCE, every=0.25)[0]
