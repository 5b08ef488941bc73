"""The steps of a client in the loop, over HTTP."""

from typing import Any

import httpx

from scripts.parts import wait_for

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
PATIENCE = 120.0


def predict(api: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = api.post("/predict", json=SETOSA).raise_for_status().json()
    return answer


def ask(api: httpx.Client) -> None:
    """Ask for distinct flowers: in containers a new version serves at once only if there is evidence for it."""
    flowers = [[4.5 + number / 100, 3.4, 1.5, 0.2] for number in range(100)]
    flowers += [[5.8 + number / 100, 3.0, 5.8, 2.2] for number in range(100)]
    api.post("/predict", json={"data": flowers}).raise_for_status()


def correct(api: httpx.Client, numbers: range) -> list[str]:
    """Send corrections, and wait until a version has learnt them."""
    corrections = [{**SETOSA, "sepal_length": 5 + number / 100, "class_name": "Iris-setosa"} for number in numbers]
    ids = [api.post("/suggest", json=each).raise_for_status().json()["suggestion_id"] for each in corrections]
    wait_for("the fine-tuning", lambda: {state(api, each)["state"] for each in ids} == {"trained"}, PATIENCE, 0.5)
    return ids


def state(api: httpx.Client, suggestion_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/suggest/{suggestion_id}").raise_for_status().json()
    return found


def served(api: httpx.Client, number: int) -> None:
    def version() -> bool:
        return bool(api.get("/predict/test").raise_for_status().json()["model_version"] == number)

    wait_for(f"version {number}", version, PATIENCE)
