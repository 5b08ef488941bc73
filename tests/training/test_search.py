"""Model search: its split, its winner, and that a failure registers nothing."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.neighbors import NearestCentroid

from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.files import write_atomic
from common.problem import Candidate, Classifier, Floats, Ints, Problem, Table, as_float32
from common.registry import publish
from common.settings import Settings
from common.split import split
from common.table import DataError, read_table, table_bytes
from preprocess import preprocess
from problems import travel_insurance
from tests.training.conftest import aliases, bundle_of, of
from training import search


def regression(strength: float, family: str = "") -> Candidate:
    """A candidate that fits at once: the weaker the regularisation, the smaller the log-loss."""
    return Candidate({"C": strength}, lambda X, y: LogisticRegression(C=strength, max_iter=1000).fit(X, y), family)


def perceptron() -> Candidate:
    """A candidate that gives no probabilities, and is wrong more often."""
    return Candidate({"C": 0}, lambda X, y: Perceptron(random_state=0).fit(X, y), "perceptron")


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
    few = of(problem, regression(0.001), regression(10.0), regression(0.1))
    trained = search.train(few, settings)
    version, results = trained.champion, trained.results
    assert [result.candidate.params["C"] for result in results] == [10.0, 0.1, 0.001]
    losses = [result.metrics["val_log_loss"] for result in results]
    assert losses == sorted(losses)
    assert (version.name, version.number, version.tags["C"]) == ("IrisModel", 1, "10.0")


def test_a_candidate_that_cannot_be_converted_is_named_in_one_line(settings: Settings, problem: Problem) -> None:
    odd = Candidate({"kind": "centroid", "size": 3}, lambda X, y: NearestCentroid().fit(X, y))
    told = r"the candidate kind=centroid size=3 cannot be served, .*: NearestCentroid cannot be converted"
    with pytest.raises(ModelError, match=told) as refused:
        search.train(of(problem, odd), settings)
    assert "\n" not in str(refused.value)
    assert registered(settings.mlflow_uri) == []


def test_the_scorer_is_fitted_on_the_fitting_rows_and_its_threshold_set_by_the_validation_rows(
    settings: Settings, problem: Problem
) -> None:
    trained = search.train(of(problem, regression(1.0)), settings)
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
        search.train(of(problem, regression(1.0)), settings)
    assert registered(settings.mlflow_uri) == []


def test_a_failed_registration_leaves_the_file_of_the_registered_model(
    settings: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = of(problem, regression(1.0))
    search.train(few, settings)
    path = settings.lab_home / "models" / "iris" / "model.onnx"
    before = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("no space left on device")

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", refuse)
    with pytest.raises(MlflowException, match="no space left"):
        search.train(of(problem, regression(10.0)), settings)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_damaged_data_are_refused_before_anything_is_logged(offline: Settings, problem: Problem, name: str) -> None:
    # Nobody listens at the address of MLflow: logging would fail otherwise.
    with (offline.data_dir / name).open("a", encoding="utf-8") as file:
        file.write("5.1,3.5,1.4,0.2,3\n")
    with pytest.raises(DataError, match=rf"{name}, row \d+, column class: unknown label '3'"):
        search.train(problem, offline)


def test_the_best_of_another_family_challenges_the_best(settings: Settings, problem: Problem) -> None:
    few = [regression(0.001, "b"), regression(10.0, "a"), regression(1.0, "a"), regression(0.01, "b")]
    trained = search.train(of(problem, *few), settings)
    assert [result.candidate.params["C"] for result in trained.results] == [10.0, 1.0, 0.01, 0.001]
    assert trained.challenger is not None
    assert (trained.champion.tags["C"], trained.challenger.tags["C"]) == ("10.0", "0.01")
    assert aliases(settings, problem) == ([1, 1], [2, 2])


def result(accuracy: float, log_loss: float | None, name: str = "") -> search.Result:
    model: Any = None
    metrics = {"val_accuracy": accuracy} | ({} if log_loss is None else {"val_log_loss": log_loss})
    return search.Result(Candidate({"name": name}, lambda _, __: model), model, metrics)


def test_with_probabilities_the_smallest_log_loss_is_best() -> None:
    results = [result(0.9, 0.3), result(1.0, 0.2), result(0.8, 0.1)]
    assert [each.log_loss for each in search.ranked(results)] == [0.1, 0.2, 0.3]


def test_without_probabilities_the_fewest_errors_are_best() -> None:
    results = [result(0.8, 0.1, "a"), result(0.9, 0.3, "b"), result(0.9, None, "c"), result(1.0, 0.5, "d")]
    assert [each.candidate.params["name"] for each in search.ranked(results)] == ["d", "b", "c", "a"]


def test_a_model_without_probabilities_is_registered_and_has_no_log_loss(settings: Settings, problem: Problem) -> None:
    trained = search.train(of(problem, perceptron(), regression(10.0)), settings)
    best, other = trained.results
    assert (best.candidate.family, other.candidate.family) == ("", "perceptron")
    client = mlflow.MlflowClient(settings.mlflow_uri)
    assert client.get_run(other.run_id).data.metrics["val_accuracy"] == other.metrics["val_accuracy"]
    assert "val_log_loss" not in client.get_run(other.run_id).data.metrics
    assert trained.challenger is not None
    assert float(trained.challenger.tags["test_accuracy"]) > 0.5
    bundle = OnnxModel(bundle_of(settings, trained.challenger))
    assert bundle.predict(bundle.as_rows([[5.1, 3.5, 1.4, 0.2]])).probabilities is None


def with_data(settings: Settings, problem: Problem, table: Table) -> Settings:
    """Return the settings of a lab that works on another problem, and has rows of it."""
    chosen = settings.model_copy(update={"problem": problem.name})
    write_atomic(chosen.data_dir / "data.csv", table_bytes(table, problem.target.classes))
    preprocess(problem, chosen.data_dir)
    return chosen


def test_travel_insurance_is_one_run_with_a_metric_for_each_batch_and_goes_on_from_the_registry(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel_insurance, "BATCH_ROWS", 500)
    problem = travel_insurance.PROBLEM
    lab = with_data(settings, problem, travel_insurance.synthesize(4000, np.random.default_rng(0)))
    trained = search.train(problem, lab)
    [best] = trained.results
    client = mlflow.MlflowClient(lab.mlflow_uri)
    history = client.get_metric_history(best.run_id, "batch_log_loss")
    assert [point.step for point in history] == [1, 2, 3, 4]  # of 1 800 rows: the last has 300
    assert [point.value for point in history] == best.model.curves_["batch_log_loss"]  # type: ignore[attr-defined]
    areas = client.get_metric_history(best.run_id, "batch_auc")
    assert [point.step for point in areas] == [1, 2, 3, 4]
    np.testing.assert_array_equal([point.value for point in areas], best.model.curves_["batch_auc"])  # type: ignore[attr-defined]
    assert (trained.challenger, trained.champion.name) == (None, "TravelInsuranceModel")
    rows = read_table(lab.data_dir / "test.csv", problem, indices=True)
    base = publish.newest(problem.sklearn_name)
    assert base is not None
    loaded = publish.load_sklearn(problem, lab, base)
    np.testing.assert_array_equal(loaded.predict_proba(rows.X), best.model.predict_proba(rows.X))
    answer = OnnxModel(bundle_of(lab, trained.champion)).predict(as_float32(rows.X)).probabilities
    assert answer is not None
    np.testing.assert_allclose(answer, loaded.predict_proba(as_float32(rows.X)), rtol=0, atol=1e-5)
    continued: Any = travel_insurance.continue_training(loaded, rows, Table(rows.X[:5], 1 - rows.y[:5]))
    assert continued[-1].n_estimators_ > loaded[-1].n_estimators_  # type: ignore[index]
