"""Lineage over HTTP, with versions that the lab's own fine-tuning registered in a real MLflow."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from finetune import finetune
from finetune.append import append_corrections
from scripts.parts import free_port, wait_for
from tests.conftest import StartApi, running_api, served_version
from trust.lineage.tracing import NO_REGISTRY

SETOSA = {"sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@dataclass
class Traced:
    """A lab whose version 2 has learnt five corrections, the first of a prediction of version 1."""

    settings: Settings
    api: httpx.Client
    prediction: str
    corrections: list[str]


@pytest.fixture
def traced(settings: Settings, trained: Version, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    monkeypatch.setattr(finetune, "step", lambda _, function: function)
    lab = settings.model_copy(update={"vetting": "off"})
    with running_api(lab) as api:
        wait_for("version 1", lambda: served_version(api) == trained.number)
        first = predict(api)
        tell = {"prediction_id": first, "class_name": "Iris-setosa"}
        api.post("/feedback", json=tell).raise_for_status()
        ids = [str(uuid4()) for _ in range(5)]
        with closing(Store(lab.database_url)) as store:
            for number, each in enumerate(ids):
                features = {"sepal_length": 5 + number / 1000, **SETOSA}
                named = first if number == 0 else None
                sent = Suggestion(each, problem.name, features, "Iris-setosa", named, source="192.0.2.1")
                append_corrections(store, problem, sent, lab.corrections)
            assert finetune._train(problem, lab, store).message == "trained in version 2"
        wait_for("version 2", lambda: served_version(api) == 2)
        yield Traced(lab, api, first, sorted(ids))


def predict(api: httpx.Client) -> str:
    row = {"sepal_length": 5.1, **SETOSA}
    return str(api.post("/predict", json=row).raise_for_status().json()["prediction_id"])


def get(api: httpx.Client, path: str, **query: Any) -> Any:
    return api.get(f"/lineage/{path}", params=query).raise_for_status().json()


def lineage_of(api: httpx.Client, prediction: str) -> Any:
    wait_for("the log", lambda: api.get(f"/lineage/{prediction}").is_success)
    return get(api, prediction)


def test_from_an_answer_to_the_corrections_behind_it_and_back(traced: Traced) -> None:
    api = traced.api

    def by_version() -> dict[int, Any] | None:
        """Return the versions behind a new answer once the old champion goes on as challenger."""
        found = {each["model_version"]: each for each in lineage_of(api, predict(api))["versions"]}
        return found if found.keys() == {1, 2} else None

    versions = wait_for("the challenger's answer", by_version)
    second, first = versions[2], versions[1]
    assert second["not_known"] == first["not_known"] == []
    assert len(second["registry"]["run_id"]) == len(first["registry"]["run_id"]) == 32
    assert second["registry"]["data_md5"].keys() == {"train", "corrections"}
    assert second["registry"]["verdict"] == second["judgement"]["verdict"]
    assert (second["judgement"]["champion"], second["judgement"]["anchor"]) == (1, 1)
    assert first["learnt"]["total"] == 0
    assert [each["suggestion_id"] for each in second["learnt"]["corrections"]] == traced.corrections
    [corrected] = {each["prediction_id"] for each in second["learnt"]["corrections"]} - {None}
    assert corrected == traced.prediction
    assert get(api, corrected)["answers"][0]["model_version"] == 1
    page = get(api, "versions/2", limit=2)["learnt"]
    assert [each["suggestion_id"] for each in page["corrections"]] == traced.corrections[:2]
    rest = get(api, "versions/2", limit=3, after=page["next"])["learnt"]
    assert ([each["suggestion_id"] for each in rest["corrections"]], rest["next"]) == (traced.corrections[2:], None)
    forwards = get(api, f"corrections/{traced.corrections[0]}")
    assert forwards["versions"] == [2]
    wait_for("the count", lambda: get(api, f"corrections/{traced.corrections[0]}")["answers"]["total"])
    # Of the version that the training made, the run is known by its tag.
    assert get(api, "versions/1")["registry"]["run_id"] == first["registry"]["run_id"]


def test_while_mlflow_is_away_the_part_of_the_store_is_answered(traced: Traced, start_api: StartApi) -> None:
    away = traced.settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    with start_api(away) as api:
        found = get(api, "versions/2")
        assert (found["registry"], found["not_known"]) == (None, [NO_REGISTRY])
        assert found["learnt"]["total"] == 5
        assert lineage_of(api, traced.prediction)["versions"][0]["not_known"] == [NO_REGISTRY]
        assert api.get("/lineage/versions/9").status_code == 503
    assert traced.api.get("/lineage/versions/9").status_code == 404


def test_unknown_ids_are_not_found(lone_api: httpx.Client) -> None:
    for path in (f"{uuid4()}", f"corrections/{uuid4()}"):
        assert lone_api.get(f"/lineage/{path}").status_code == 404
    assert lone_api.get("/lineage/no-uuid").status_code == 422


def test_lineage_needs_the_key(with_copy: Settings) -> None:
    with running_api(with_copy.model_copy(update={"api_key": SecretStr("secret")})) as api:
        for path in (f"{uuid4()}", f"corrections/{uuid4()}", "versions/1"):
            assert api.get(f"/lineage/{path}").status_code == 401
            assert api.get(f"/lineage/{path}", headers={"X-API-Key": "secret"}).status_code in {404, 503}
