"""The label queue lists the predictions whose ground truth would settle the newest verdict."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from common.settings import Settings
from common.store import Store
from common.store.judgements import JudgementRecord
from tests.conftest import running_api

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FLOWERS = [[6.0, 2.7, 5.1, 1.6], [5.1, 3.5, 1.4, 0.2]]


@pytest.fixture
def api(with_copy: Settings) -> Iterator[httpx.Client]:
    with running_api(with_copy) as client:
        yield client


def judgement(names: list[str], **changes: Any) -> JudgementRecord:
    wanted = [
        {
            "prediction_id": name,
            "candidate": "Iris-virginica",
            "champion": "Iris-versicolor",
            "anchor": "Iris-versicolor",
        }
        for name in names
    ]
    given: dict[str, Any] = {
        "id": "j",
        "verdict": "insufficient evidence",
        "version": 2,
        "candidate": "refitted",
    } | changes
    return JudgementRecord(
        problem="iris", judged_at=datetime(2026, 11, 28, tzinfo=UTC), details={"wanted": wanted}, **given
    )


def test_before_the_first_verdict_nothing_is_wanted(api: httpx.Client) -> None:
    assert api.get("/labels/wanted").json() == {"verdict": None, "model_version": None, "labels": []}


def test_a_wanted_label_has_its_row_and_both_answers_until_its_ground_truth_comes(
    api: httpx.Client, store: Store
) -> None:
    answers = api.post("/predict", json={"data": FLOWERS}).json()["predictions"]
    first, second = (answer["prediction_id"] for answer in answers)
    api.post("/feedback", json={"prediction_id": second, "class_name": "Iris-setosa"}).raise_for_status()
    store.judgements.add(judgement([first, second]))
    wanted = api.get("/labels/wanted").raise_for_status().json()
    assert wanted == {
        "verdict": "insufficient evidence",
        "model_version": 2,
        "labels": [
            {
                "prediction_id": first,
                "features": dict(
                    zip(("sepal_length", "sepal_width", "petal_length", "petal_width"), FLOWERS[0], strict=True)
                ),
                "champion": "Iris-versicolor",
                "candidate": "Iris-virginica",
            }
        ],
    }
    api.post("/feedback", json={"prediction_id": first, "class_name": "Iris-virginica"}).raise_for_status()
    assert api.get("/labels/wanted").json()["labels"] == []


@pytest.mark.parametrize("changes", [{"verdict": "accepted", "outcome": "promote"}, {"version": None}])
def test_a_verdict_that_is_settled_wants_nothing(api: httpx.Client, store: Store, changes: dict[str, Any]) -> None:
    name = api.post("/predict", json={"data": FLOWERS}).json()["predictions"][0]["prediction_id"]
    store.judgements.add(judgement([name], **changes))
    assert api.get("/labels/wanted").json()["labels"] == []
