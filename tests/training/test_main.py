"""`python main.py` on a real MLflow server: its runs and versions there, its file in models/, its output."""

import asyncio
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
import sklearn.metrics
from mlflow.entities import Metric, Run
from mlflow.entities.model_registry import ModelVersion
from ruamel.yaml import YAML

import main
from common.bundle.model import OnnxModel
from common.problem import Classifier, Problem, Table, get_problem
from common.registry.client import Registry, Version
from common.registry.publish import load_sklearn, use_mlflow
from common.settings import PROJECT, Settings
from common.split import split
from common.table import read_table
from scripts.parts import free_port
from scripts.stack import process_environment
from tests.conftest import offline_settings
from tests.programs import Ended, error_line, run_python

LINE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """The results of one run of the command. They are fetched at once, because other tests use the same server."""

    home: Path
    output: str
    runs: list[Run]
    curves: dict[str, list[Metric]]
    onnx: ModelVersion
    sklearn: ModelVersion
    onnx_file: bytes
    loaded: Classifier

    @property
    def best(self) -> Run:
        return min(self.runs, key=lambda run: run.data.metrics["val_log_loss"])

    def run_of(self, layers: int, epochs: int) -> Run:
        wanted = {"hidden_layers": str(layers), "epochs": str(epochs)}
        [found] = [run for run in self.runs if run.data.params == wanted]
        return found


def settings_of(home: Path, prepared_data: Path, mlflow_uri: str) -> Settings:
    return offline_settings(home, prepared_data).model_copy(update={"mlflow_uri": mlflow_uri})


def start(settings: Settings, *arguments: str) -> Ended:
    return run_python("main.py", *arguments, environment={**process_environment(settings), "COLUMNS": "120"})


async def download(uri: str, version: ModelVersion) -> bytes:
    async with Registry(uri) as registry:
        return await registry.download(version_of(version))


def version_of(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), str(found.source), dict(found.tags))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, mlflow_uri: str) -> Outcome:
    home = tmp_path_factory.mktemp("main")
    settings = settings_of(home, prepared_data, mlflow_uri)
    experiment = use_mlflow(mlflow_uri, "IrisDev")
    client = mlflow.MlflowClient(mlflow_uri)
    before = {run.info.run_id for run in client.search_runs([experiment], max_results=1000)}
    ended = start(settings)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    runs = [run for run in client.search_runs([experiment], max_results=1000) if run.info.run_id not in before]
    onnx, sklearn_version = (client.get_model_version_by_alias(n, "champion") for n in ("IrisModel", "IrisDev"))
    return Outcome(
        home=home,
        output=ended.stdout,
        runs=list(runs),
        curves={run.info.run_id: client.get_metric_history(run.info.run_id, "loss") for run in runs},
        onnx=onnx,
        sklearn=sklearn_version,
        onnx_file=asyncio.run(download(mlflow_uri, onnx)),
        loaded=load_sklearn(get_problem("iris"), settings, version_of(sklearn_version)),
    )


@pytest.fixture(scope="module")
def held_out(prepared_data: Path, problem: Problem) -> Table:
    return read_table(prepared_data / "test.csv", problem, indices=True)


def test_each_candidate_is_a_finished_run_of_its_own(outcome: Outcome) -> None:
    params = [(run.data.params["hidden_layers"], run.data.params["epochs"]) for run in outcome.runs]
    assert len(params) == 15
    assert set(params) == {(layers, epochs) for layers in "234" for epochs in ("100", "250", "500", "750", "1000")}
    assert {run.info.status for run in outcome.runs} == {"FINISHED"}
    assert all(run.data.params["hidden_layers"] in (run.info.run_name or "") for run in outcome.runs)


def test_each_run_has_its_validation_metrics_and_its_loss_by_epoch(outcome: Outcome) -> None:
    for run in outcome.runs:
        assert run.data.metrics["val_log_loss"] > 0
        assert 0 <= run.data.metrics["val_accuracy"] <= 1
        curve = outcome.curves[run.info.run_id]
        assert sorted(metric.step for metric in curve) == list(range(1, len(curve) + 1))
        assert 0 < len(curve) <= int(run.data.params["epochs"])
        first, last = min(curve, key=lambda m: m.step), max(curve, key=lambda m: m.step)
        assert last.value < first.value


@pytest.mark.parametrize(("layers", "epochs"), [(2, 100), (4, 250)])
def test_a_run_has_the_metrics_of_a_second_fit_of_its_candidate(
    outcome: Outcome, problem: Problem, prepared_data: Path, layers: int, epochs: int
) -> None:
    fitting, validation = split(read_table(prepared_data / "train.csv", problem, indices=True))
    wanted = {"hidden_layers": layers, "epochs": epochs}
    [candidate] = [candidate for candidate in problem.candidates() if candidate.params == wanted]
    model = candidate.fit(fitting.X, fitting.y)
    run = outcome.run_of(layers, epochs)
    curve = sorted(outcome.curves[run.info.run_id], key=lambda metric: metric.step)
    assert [metric.value for metric in curve] == pytest.approx(vars(model)["loss_curve_"])
    shares = model.predict_proba(validation.X)
    assert run.data.metrics["val_log_loss"] == pytest.approx(sklearn.metrics.log_loss(validation.y, shares))
    accuracy = sklearn.metrics.accuracy_score(validation.y, shares.argmax(axis=1))
    assert run.data.metrics["val_accuracy"] == pytest.approx(accuracy)


def test_both_versions_are_of_the_run_with_the_smallest_validation_log_loss(outcome: Outcome) -> None:
    assert {outcome.onnx.run_id, outcome.sklearn.run_id} == {outcome.best.info.run_id}
    for version in (outcome.onnx, outcome.sklearn):
        assert version.tags.items() >= outcome.best.data.params.items()


def test_both_versions_carry_commit_data_and_results(outcome: Outcome, held_out: Table) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    stage = YAML(typ="safe").load(PROJECT / "dvc.lock")["stages"]["preprocess@iris"]
    [recorded] = [out["md5"] for out in stage["outs"] if out["path"] == "data/iris/train.csv"]
    accuracy = sklearn.metrics.accuracy_score(held_out.y, outcome.loaded.predict(held_out.X))
    for version in (outcome.onnx, outcome.sklearn):
        assert version.tags["git_commit"] == (commit or "unknown")
        assert version.tags["train_md5"] == recorded
        assert version.tags["test_accuracy"] == f"{accuracy:.4f}"
        assert float(version.tags["test_accuracy"]) >= 0.9
        assert float(version.tags["outlier_threshold"]) < 0
        assert 0 <= float(version.tags["outlier_rate"]) < 0.05
    assert outcome.onnx.tags["sklearn_version"] == outcome.sklearn.version


def test_the_best_run_has_the_results_on_the_held_out(outcome: Outcome, held_out: Table) -> None:
    found = {key: value for key, value in outcome.best.data.metrics.items() if key.startswith("test_")}
    predicted = outcome.loaded.predict(held_out.X)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        held_out.y, predicted, average="macro", zero_division=np.nan
    )
    accuracy = sklearn.metrics.accuracy_score(held_out.y, predicted)
    expected = {"test_accuracy": accuracy, "test_precision": precision, "test_recall": recall, "test_f1": f1}
    assert found == pytest.approx(expected)
    assert {"outlier_threshold", "outlier_rate"} <= outcome.best.data.metrics.keys()
    others = [run for run in outcome.runs if run is not outcome.best]
    assert [key for run in others for key in run.data.metrics if key.startswith(("test_", "outlier_"))] == []


def test_the_registered_file_flags_a_flower_like_no_other_and_none_of_the_held_out(
    outcome: Outcome, held_out: Table
) -> None:
    loaded = OnnxModel(outcome.onnx_file)
    X = np.concatenate([held_out.X, [[1.0, 2.0, 3.0, 4.0]]]).astype(np.float32)
    flags = loaded.is_outlier(loaded.predict(X))
    assert flags is not None
    assert flags.tolist() == [False] * 30 + [True]


def test_the_file_in_models_is_the_registered_one(outcome: Outcome) -> None:
    assert (outcome.home / "models" / "iris" / "model.onnx").read_bytes() == outcome.onnx_file


def test_both_flavours_give_the_same_answers(outcome: Outcome, held_out: Table) -> None:
    answer = OnnxModel(outcome.onnx_file).predict(held_out.X.astype(np.float32))
    assert answer.probabilities is not None
    np.testing.assert_array_equal(answer.labels, outcome.loaded.predict(held_out.X))
    np.testing.assert_allclose(answer.probabilities, outcome.loaded.predict_proba(held_out.X), atol=1e-5)


def test_the_screen_shows_the_best_candidates_and_the_registered_versions(outcome: Outcome) -> None:
    assert "the best of 15 candidates, by validation log-loss" in outcome.output
    assert f"{outcome.best.data.metrics['val_log_loss']:.4f}" in outcome.output
    assert f"accuracy {outcome.onnx.tags['test_accuracy']}" in outcome.output
    assert f"registered IrisModel version {outcome.onnx.version} (ONNX)" in outcome.output
    assert f"IrisDev version {outcome.sklearn.version} (scikit-learn)" in outcome.output


def test_training_leaves_the_data_as_they_were(outcome: Outcome, prepared_data: Path) -> None:
    folder = outcome.home / "data" / "iris"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in prepared_data.iterdir()
    }


def test_without_mlflow_the_command_says_so_in_one_line_before_training(tmp_path: Path, prepared_data: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    settings = settings_of(tmp_path, prepared_data, uri)
    began = time.monotonic()
    ended = start(settings)
    assert time.monotonic() - began < LINE_SECONDS
    line = error_line(ended)
    assert line.startswith(f"main: no MLflow at {uri} (")
    assert "make up" in line
    assert "MLFLOW_URI" in line
    assert not (tmp_path / "models").exists()


def test_a_server_that_never_answers_is_given_up_in_time(tmp_path: Path, prepared_data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_of(tmp_path, prepared_data, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        ended = start(settings)
    assert time.monotonic() - began < LINE_SECONDS
    assert error_line(ended).startswith("main: no MLflow at ")


def test_without_prepared_data_the_command_names_the_missing_file(
    tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_URI", mlflow_uri)
    monkeypatch.setattr(sys, "argv", ["main.py", "--problem", "iris"])
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert str(stopped.value).startswith(f"main: {tmp_path / 'data' / 'iris' / 'train.csv'} is missing")
    assert len(str(stopped.value).splitlines()) == 1


def test_an_unknown_problem_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", "--problem", "no_such"])
    with pytest.raises(SystemExit, match="main: unknown problem 'no_such'") as stopped:
        main.main()
    assert len(str(stopped.value).splitlines()) == 1
