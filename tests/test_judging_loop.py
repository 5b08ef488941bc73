"""The judge on real servers: a changed world is learnt, a liar does no harm, and a bad version is rolled back."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import mlflow
import numpy as np
import pytest
from filelock import FileLock

from common.problem import Floats, Ints, Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from scripts.parts import wait_for
from tests import servers
from tests.conftest import StartApi, served_version
from tests.test_loop import rows, wait_until_over, without_runs

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
LONGER = np.array([1.0, 1.0, 1.25, 1.0])  # petals 25 % too long


class World:
    """Draws flowers: class-conditional normal distributions with the means and covariances of the iris data."""

    def __init__(self, problem: Problem, seed: int = 10) -> None:
        self.classes = problem.target.classes
        self._flowers = problem.load(None)
        self._random = np.random.default_rng(seed)

    def draw(self, number: int, factors: Floats) -> tuple[Floats, list[str]]:
        """Return flowers `[number, 4]`, measured with these factors, and their classes."""
        X, y = self._flowers.X, self._flowers.y
        labels: Ints = self._random.integers(len(self.classes), size=number)
        of_class = [X[y == label] for label in range(len(self.classes))]
        drawn = [
            self._random.multivariate_normal(of_class[label].mean(axis=0), np.cov(of_class[label].T))
            for label in labels
        ]
        flowers = np.clip(np.array(drawn) * factors, 0.1, 29.0).round(2)
        return flowers, [self.classes[label] for label in labels]


def predict(api: httpx.Client, flowers: Floats) -> list[dict[str, Any]]:
    answer = api.post("/predict", json={"data": flowers.tolist()}).raise_for_status().json()
    return list(answer["predictions"])


def right(predictions: list[dict[str, Any]], truth: list[str]) -> float:
    """Return the share of right predictions."""
    return float(np.mean([each["class_name"] == name for each, name in zip(predictions, truth, strict=True)]))


def tell(api: httpx.Client, predictions: list[dict[str, Any]], truth: list[str]) -> None:
    """Send the ground truths of predictions."""

    def is_known(prediction_id: str, class_name: str) -> bool:
        # The log may be 250 ms behind.
        return api.post("/feedback", json={"prediction_id": prediction_id, "class_name": class_name}).is_success

    for each, name in zip(predictions, truth, strict=True):
        wait_for("the prediction", partial(is_known, each["prediction_id"], name))


def correct(lab: Settings, api: httpx.Client, flowers: Floats, truth: list[str]) -> list[dict[str, Any]]:
    """Send corrections, all of which one run learns; return their states when they are judged."""
    with FileLock(lab.data_dir / "finetune.lock"):
        ids = [
            api.post("/suggest", json={**dict(zip(NAMES, flower, strict=True)), "class_name": name})
            .raise_for_status()
            .json()["suggestion_id"]
            for flower, name in zip(flowers.tolist(), truth, strict=True)
        ]

    def states() -> list[dict[str, Any]] | None:
        found = [api.get(f"/suggest/{one}").raise_for_status().json() for one in ids]
        return found if all(each["judgement"] for each in found) else None

    judged = wait_for("a verdict", states, 120)
    wait_until_over(lab)
    return judged


def aliases(lab: Settings) -> dict[str, int]:
    """Return the versions under the aliases, after a check that those of the twins are the same."""
    client = mlflow.MlflowClient(lab.mlflow_uri)
    onnx, twins = (client.get_registered_model(name).aliases for name in ("IrisModel", "IrisDev"))
    assert {
        alias: client.get_model_version("IrisModel", version).tags["sklearn_version"] for alias, version in onnx.items()
    } == twins
    return {alias: int(version) for alias, version in onnx.items()}


@pytest.fixture
def lab(
    settings: Settings, trained: Version, prefect_api_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A lab with version 1 and all servers, whose judge of live versions looks often."""
    assert trained.number == 1
    monkeypatch.setattr("api.probation.live_judge.LOOK_SECONDS", 0.2)
    with without_runs(settings, prefect_api_url=prefect_api_url) as ready:
        yield ready


def test_a_changed_world_is_learnt_and_a_liar_does_no_harm_afterwards(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    world = World(problem)
    with servers.worker(lab), start_api(lab) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
        flowers, truth = world.draw(200, LONGER)
        predictions = predict(api, flowers)
        tell(api, predictions, truth)
        judged = correct(lab, api, *world.draw(50, LONGER))
        assert {(each["state"], each["model_version"]) for each in judged} == {("trained", 2)}
        assert judged[0]["judgement"]["verdict"] == "accepted"
        wait_for("the new version", lambda: served_version(api) == 2, within=20)
        assert aliases(lab) == {"champion": 2, "anchor": 2, "challenger": 1}
        assert right(predictions, truth) < 0.8
        flowers, truth = world.draw(300, LONGER)
        predictions = predict(api, flowers)
        learnt = right(predictions, truth)
        assert learnt >= 0.93
        tell(api, predictions, truth)
        others, names = world.draw(60, LONGER)
        setosa = np.array([name == "Iris-setosa" for name in names])
        lies = correct(lab, api, others[setosa], ["Iris-virginica"] * int(setosa.sum()))
        assert {each["judgement"]["verdict"] for each in lies} <= {"refused", "no effect"}
        assert (served_version(api), right(predict(api, flowers), truth)) == (2, learnt)


# Between setosa and versicolor, where no known flower is: lies about these flowers cost nothing on test.csv.
GAP = np.array(
    [[5.5, 3.0, length, width] for length in np.arange(2.0, 3.2, 0.05) for width in np.arange(0.5, 1.0, 0.05)]
)
LIES = np.array([[5.5, 3.0, 2.6 + number / 50, 0.7] for number in range(5)])


def test_a_bad_version_that_served_without_evidence_is_rolled_back_by_itself_and_its_corrections_are_not_learnt_again(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    with servers.worker(lab), start_api(lab) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
        truth = [each["class_name"] for each in predict(api, GAP)]
        lies = correct(lab, api, LIES, ["Iris-virginica"] * len(LIES))
        assert {each["judgement"]["verdict"] for each in lies} == {"insufficient evidence"}
        wait_for("the bad version", lambda: served_version(api) == 2, within=20)
        wait_for("the old one in its shadow", lambda: api.get("/models").json()["challenger"] == 1)
        assert aliases(lab) == {"champion": 2, "challenger": 1, "anchor": 1}
        answers = predict(api, GAP)
        wrong = [place for place, each in enumerate(answers) if each["class_name"] != truth[place]][:30]
        tell(api, [answers[place] for place in wrong], [truth[place] for place in wrong])
        wait_for("the rollback", lambda: served_version(api) == 1, within=20)
        assert aliases(lab) == {"champion": 1, "anchor": 1}
        states = [api.get(f"/suggest/{each['suggestion_id']}").json()["state"] for each in lies]
        assert states == ["quarantined"] * len(LIES)
        with closing(Store(lab.database_url)) as store:
            last, judgement = store.champions.history("IrisModel")[-1], store.trials.judgement("iris", 2)
        assert (last.model_version, last.how) == (1, "rolled back")
        assert "only version 1" in str(last.because)
        assert judgement
        assert judgement.outcome == f"roll back: {last.because}"
        correct(lab, api, problem.load(None).X[:5], ["Iris-setosa"] * 5)
        assert sorted(line.split(",")[0] for line in rows(lab)) == ["4.6", "4.7", "4.9", "5.0", "5.1"]
