"""Model search: its split, its winner, and that a failure registers nothing."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

from common.onnx_io import ModelError, OnnxModel
from common.outliers import OutlierScorer, fit_outlier_scorer
from common.problem import Candidate, Classifier, Floats, Ints, Problem
from common.settings import Settings
from common.split import split
from common.table import DataError, read_table
from training import search


def regression(strength: float) -> Candidate:
    """A candidate that fits at once: the weaker the regularisation, the smaller the log-loss."""

    def fit(X: Floats, y: Ints) -> Classifier:
        model: Classifier = LogisticRegression(C=strength, max_iter=1000).fit(X, y)
        return model

    return Candidate({"C": strength}, fit)


def dishonest(strength: float) -> Candidate:
    """A candidate that answers otherwise than its coefficients, and so than its ONNX export."""

    def fit(X: Floats, y: Ints) -> Classifier:
        model = regression(strength).fit(X, y)
        honest = model.predict
        vars(model)["predict"] = lambda rows: (honest(rows) + 1) % 3
        return model

    return Candidate({"C": strength}, fit)


def registered(uri: str) -> list[str]:
    return [model.name for model in mlflow.MlflowClient(uri).search_registered_models()]


def test_a_quarter_of_each_class_is_kept_for_validation(prepared_data: Path, problem: Problem) -> None:
    rows = read_table(prepared_data / "train.csv", problem, indices=True)
    fitting, validation = split(rows)
    assert np.bincount(fitting.y).tolist() == [30, 30, 30]
    assert np.bincount(validation.y).tolist() == [10, 10, 10]
    np.testing.assert_array_equal(split(rows)[1].X, validation.X)


def test_the_results_are_sorted_and_the_first_is_registered(settings: Settings, problem: Problem) -> None:
    few = replace(problem, candidates=lambda: [regression(0.001), regression(10.0), regression(0.1)])
    trained = search.train(few, settings)
    version, results = trained.champion, trained.results
    assert [result.candidate.params["C"] for result in results] == [10.0, 0.1, 0.001]
    losses = [result.metrics["val_log_loss"] for result in results]
    assert losses == sorted(losses)
    assert (version.name, version.number, version.tags["C"]) == ("IrisModel", 1, "10.0")


def test_training_again_makes_the_next_version_and_moves_champion(settings: Settings, problem: Problem) -> None:
    few = replace(problem, candidates=lambda: [regression(1.0)])
    search.train(few, settings)
    second = search.train(few, settings).champion
    client = mlflow.MlflowClient(settings.mlflow_uri)
    assert second.number == 2
    assert second.tags["sklearn_version"] == "2"
    for name in ("IrisModel", "IrisDev"):
        assert client.get_model_version_by_alias(name, "champion").version == "2"
        assert len(client.search_model_versions(f"name = '{name}'")) == 2


def test_an_export_that_differs_registers_nothing_and_writes_no_file(settings: Settings, problem: Problem) -> None:
    with pytest.raises(ModelError, match="the label of row 0 differs"):
        search.train(replace(problem, candidates=lambda: [dishonest(1.0)]), settings)
    assert registered(settings.mlflow_uri) == []
    assert not (settings.lab_home / "models").exists()


def test_the_scorer_is_fitted_on_the_fitting_rows_and_its_threshold_set_by_the_validation_rows(
    settings: Settings, problem: Problem
) -> None:
    trained = search.train(replace(problem, candidates=lambda: [regression(1.0)]), settings)
    version, [best] = trained.champion, trained.results
    expected = fit_outlier_scorer(*split(read_table(settings.data_dir / "train.csv", problem, indices=True)))
    loaded = OnnxModel((settings.lab_home / "models" / "iris" / "model.onnx").read_bytes())
    assert loaded.metadata["outliers"] == {
        "threshold": expected.threshold,
        "training_rate": expected.training_rate,
    }
    client = mlflow.MlflowClient(settings.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        tags = client.get_model_version_by_alias(name, "champion").tags
        assert tags["outlier_threshold"] == f"{expected.threshold:.4f}" == version.tags["outlier_threshold"]
        assert tags["outlier_rate"] == f"{expected.training_rate:.4f}"
    assert client.get_run(best.run_id).data.metrics.items() >= expected.metrics.items()


def test_an_export_whose_outlier_scores_differ_registers_nothing(
    settings: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OutlierScorer.score
    # Only for the test rows: the golden rows are a few.
    monkeypatch.setattr(OutlierScorer, "score", lambda scorer, X: honest(scorer, X) + (1e-3 if len(X) == 30 else 0.0))
    with pytest.raises(ModelError, match=r"the outlier scores of row \d+ differ"):
        search.train(replace(problem, candidates=lambda: [regression(1.0)]), settings)
    assert registered(settings.mlflow_uri) == []


def test_a_failed_registration_leaves_the_file_of_the_registered_model(
    settings: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(problem, candidates=lambda: [regression(1.0)])
    search.train(few, settings)
    path = settings.lab_home / "models" / "iris" / "model.onnx"
    before = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("no space left on device")

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", refuse)
    with pytest.raises(MlflowException, match="no space left"):
        search.train(replace(problem, candidates=lambda: [regression(10.0)]), settings)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_damaged_data_are_refused_before_anything_is_logged(offline: Settings, problem: Problem, name: str) -> None:
    # Nobody listens at the address of MLflow: logging would fail otherwise.
    with (offline.data_dir / name).open("a", encoding="utf-8") as file:
        file.write("5.1,3.5,1.4,0.2,3\n")
    with pytest.raises(DataError, match=rf"{name}, row \d+, column class: unknown label '3'"):
        search.train(problem, offline)
