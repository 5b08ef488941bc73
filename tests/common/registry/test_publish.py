"""Registering is all or nothing; a registered model can be found and loaded."""

import subprocess
from typing import Protocol

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from common.bundle.export import export_onnx
from common.problem import Classifier, Problem, Table
from common.registry import publish
from common.registry.client import CHAMPION, Version
from common.settings import PROJECT, Settings

NAMES = ("IrisDev", "IrisModel")


class Register(Protocol):
    def __call__(self, **tags: str) -> Version: ...


@pytest.fixture
def register(settings: Settings, problem: Problem, model: Classifier, rows: Table) -> Register:
    """Register the model in a run of its own."""
    graph = export_onnx(model, problem, rows)
    experiment = publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)

    def register(**tags: str) -> Version:
        with mlflow.start_run(experiment_id=experiment):
            return publish.register(problem, settings, model, graph, tags, CHAMPION)

    return register


def versions(settings: Settings) -> dict[str, list[str]]:
    client = mlflow.MlflowClient(settings.mlflow_uri)
    return {name: sorted(v.version for v in client.search_model_versions(f"name = '{name}'")) for name in NAMES}


def champions(settings: Settings) -> dict[str, str]:
    client = mlflow.MlflowClient(settings.mlflow_uri)
    return {name: client.get_model_version_by_alias(name, "champion").version for name in NAMES}


def fail_at(monkeypatch: pytest.MonkeyPatch, method: str, model_name: str) -> None:
    """Let one method of MLflow's client fail for one registered model, once."""
    original = getattr(mlflow.MlflowClient, method)
    failed: list[str] = []

    def failing(client: mlflow.MlflowClient, name: str, *arguments: object, **options: object) -> object:
        if name == model_name and not failed:
            failed.append(name)
            raise MlflowException(f"{method} failed")
        return original(client, name, *arguments, **options)

    monkeypatch.setattr(mlflow.MlflowClient, method, failing)


def test_both_flavours_are_registered_with_the_tags_and_champion_points_at_them(
    settings: Settings, register: Register
) -> None:
    version = register(test_accuracy="0.9000")
    assert (version.name, version.number) == ("IrisModel", 1)
    assert versions(settings) == {"IrisDev": ["1"], "IrisModel": ["1"]}
    assert champions(settings) == {"IrisDev": "1", "IrisModel": "1"}
    assert version.tags.items() >= {"test_accuracy": "0.9000", "sklearn_version": "1"}.items()
    client = mlflow.MlflowClient(settings.mlflow_uri)
    assert client.get_model_version("IrisDev", "1").tags["test_accuracy"] == "0.9000"


def test_the_scikit_learn_model_is_loaded_as_it_was(
    settings: Settings, problem: Problem, register: Register, model: Classifier, rows: Table
) -> None:
    register()
    newest = publish.newest("IrisDev")
    assert newest is not None
    loaded = publish.load_sklearn(problem, settings, newest)
    np.testing.assert_array_equal(loaded.predict_proba(rows.X), model.predict_proba(rows.X))


@pytest.mark.parametrize("method", ["create_model_version", "set_registered_model_alias"])
@pytest.mark.parametrize("name", NAMES)
def test_a_failed_step_leaves_no_version_and_champion_where_it_was(
    settings: Settings, register: Register, monkeypatch: pytest.MonkeyPatch, method: str, name: str
) -> None:
    register()
    fail_at(monkeypatch, method, name)
    with pytest.raises(MlflowException, match=f"{method} failed"):
        register()
    assert versions(settings) == {"IrisDev": ["1"], "IrisModel": ["1"]}
    assert champions(settings) == {"IrisDev": "1", "IrisModel": "1"}


@pytest.mark.parametrize("method", ["create_model_version", "set_registered_model_alias"])
def test_a_failed_first_registration_leaves_no_version_and_the_next_one_registers(
    settings: Settings, register: Register, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fail_at(monkeypatch, method, "IrisModel")
    with pytest.raises(MlflowException, match=f"{method} failed"):
        register()
    assert versions(settings) == {"IrisDev": [], "IrisModel": []}
    version = register()
    assert champions(settings)["IrisModel"] == str(version.number)
    assert champions(settings)["IrisDev"] == version.tags["sklearn_version"]


def test_the_newest_version_is_found_also_by_its_tags(register: Register) -> None:
    assert publish.newest("IrisModel") is None
    for colour in ("red", "blue", "red", "green"):
        register(colour=colour)
    assert [v.number if (v := publish.newest("IrisModel", tags)) else None for tags in (
        None, {"colour": "red"}, {"colour": "blue"}, {"colour": "white"}, {"colour": "red", "sklearn_version": "1"}
    )] == [4, 3, 2, None, 1]  # fmt: skip


def test_the_commit_is_that_of_the_project() -> None:
    ended = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert publish.git_commit() == (ended.stdout.strip() or "unknown")


def test_results_become_tags_with_four_digits() -> None:
    assert publish.as_tags({"test_accuracy": 29 / 30, "test_f1": 1.0}) == {
        "test_accuracy": "0.9667",
        "test_f1": "1.0000",
    }
