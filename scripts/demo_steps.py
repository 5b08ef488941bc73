"""The steps of the demo that talk to the api over HTTP: predict, correct, challenge, send traffic."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from common.problem import Problem, Value
from common.settings import Settings
from common.store.suggestions import TRAIN_AT
from common.table import read_table
from scripts.parts import wait_for
from scripts.traffic import api_address, new_client, send
from scripts.traffic_rows import Traffic

PATIENCE = 120.0
MOST_ROWS = 500
TRAFFIC = Traffic(rate=40, seconds=8, label_delay=0.5, wrong_labels=0.01, outliers=0.03, noise=0.3, seed=42)

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


def accuracy_over_http(api: httpx.Client, rows: list[Row]) -> float:
    """Return the share of rows whose class the api predicts, one request each."""
    hits = 0
    for features, class_name in rows:
        answer = api.post("/predict", json=features).raise_for_status().json()
        hits += answer["class_name"] == class_name
    return hits / len(rows)


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
    """Send corrections and wait until a version has learnt them; return the status of the last correction."""
    for correction in corrections:
        suggestion_id = api.post("/suggest", json=correction).raise_for_status().json()["suggestion_id"]

    def settled() -> dict[str, Any] | None:
        status: dict[str, Any] = api.get(f"/suggest/{suggestion_id}").raise_for_status().json()
        return status if status["state"] in ("trained", "refused") else None

    status = wait_for("the fine-tuning", settled, PATIENCE)
    if status["state"] == "refused":
        raise DemoError(f"the corrections led to no version: {status['detail']}")
    return status


def challenge(api: httpx.Client, number: int) -> None:
    """Make a version the challenger, and wait until the api has loaded it."""
    api.post(f"/models/{number}/challenge").raise_for_status()
    wait_for("the challenger", lambda: api.get("/models").raise_for_status().json()["challenger"] == number, PATIENCE)


def send_traffic(problem: Problem, settings: Settings) -> None:
    """Send some seconds of traffic, with outliers and with feedback that is wrong in a few cases."""
    rows = read_table(settings.data_dir / "data.csv", problem, indices=False)

    async def sending() -> None:
        async with new_client(api_address(settings), settings) as client:
            tally = await send(TRAFFIC, problem, rows, client, lambda _: None)
        if tally.failed:
            raise DemoError(f"requests failed: {dict(tally.failed)}")

    asyncio.run(sending())


def judged_models(api: httpx.Client) -> dict[str, Any]:
    """Return the answer of `GET /models` once the challenger has as much feedback as the champion."""

    def judged() -> dict[str, Any] | None:
        models: dict[str, Any] = api.get("/models").raise_for_status().json()
        labels = {each["role"]: each["labels"] for each in serving(models)}
        return models if 0 < labels.get("champion", 0) <= labels.get("shadow", 0) else None

    return wait_for("the challenger's answers", judged, PATIENCE)


def serving(models: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statistics of the champion and of the challenger, each in its present role."""
    roles = {(models["champion"], "champion"), (models["challenger"], "shadow")}
    return [each for each in models["versions"] if (each["model_version"], each["role"]) in roles]
