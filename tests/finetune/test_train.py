"""Fine-tuning against a real MLflow: from the newest version and the corrections to the next version."""

from pathlib import Path

import mlflow
import numpy as np
import pytest

from common import onnx_io, publish
from common.files import md5
from common.onnx_io import OnnxModel
from common.outliers import OutlierScorer, fit_outlier_scorer
from common.problem import Problem, Table
from common.registry import Version
from common.settings import Settings
from common.split import split
from common.table import DataError, read_table
from finetune import train

CORRECTIONS = "5.9,3.0,4.2,1.5,1\n6.0,2.2,5.0,1.5,2\n6.3,3.3,6.0,2.5,2\n5.1,3.5,1.4,0.2,0\n5.7,2.8,4.1,1.3,1\n"


@pytest.fixture
def corrected(settings: Settings, trained: Version) -> Settings:
    """A lab with version 1 and five corrections."""
    assert trained.number == 1
    settings.corrections.write_text(CORRECTIONS)
    return settings


def register_next(problem: Problem, settings: Settings) -> Version:
    tuned = train.continue_champion(problem, settings, settings.corrections)
    return train.register(problem, settings, tuned, train.check_accuracy(problem, settings, tuned))


def onnx_of(version: Version, folder: Path) -> OnnxModel:
    path = mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.number}", dst_path=str(folder))
    return OnnxModel((Path(path) / "model.onnx").read_bytes())


def test_five_epochs_at_a_tenth_of_the_rate_go_on_from_the_newest_model(problem: Problem, corrected: Settings) -> None:
    publish.use_mlflow(corrected.mlflow_uri, problem.sklearn_name)
    base_version = publish.newest(problem.sklearn_name)
    assert base_version is not None
    base = publish.load_sklearn(base_version)
    tuned = train.continue_champion(problem, corrected, corrected.corrections).model
    assert tuned.n_iter_ == 5  # type: ignore[attr-defined]  # of the perceptron
    assert tuned.learning_rate_init == pytest.approx(base.learning_rate_init / 10)  # type: ignore[attr-defined]
    before, after = base.coefs_, tuned.coefs_  # type: ignore[attr-defined]
    moved = max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
    # Adam moves a weight by about the rate in each of its steps: one step an epoch here, since the rows are few.
    assert 0 < moved < 2 * 5 * tuned.learning_rate_init  # type: ignore[attr-defined]


def test_corrections_weigh_more_than_original_rows(problem: Problem, corrected: Settings) -> None:
    from problems import iris

    rows = read_table(corrected.data_dir / "train.csv", problem, indices=True)
    table = read_table(corrected.corrections, problem, indices=True)
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    base_version = publish.newest(problem.sklearn_name)
    assert base_version is not None
    weights = np.array([0.7] * len(rows.y) + [1.0] * len(table.y))
    expected = publish.load_sklearn(base_version)
    expected.set_params(warm_start=True, max_iter=5, learning_rate_init=0.0001)  # type: ignore[attr-defined]
    iris._fit(expected, tuned.rows.X, tuned.rows.y, weights)
    np.testing.assert_array_equal(tuned.model.predict_proba(rows.X), expected.predict_proba(rows.X))
    np.testing.assert_array_equal(tuned.rows.X[-5:], table.X)
    np.testing.assert_array_equal(tuned.rows.y[-5:], table.y)


def test_both_flavours_get_version_two_and_the_champion_moves(problem: Problem, corrected: Settings) -> None:
    version = register_next(problem, corrected)
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    assert (version.name, version.number) == ("IrisModel", 2)
    for name in ("IrisModel", "IrisDev"):
        found = client.search_model_versions(f"name = '{name}'")
        assert sorted(int(one.version) for one in found) == [1, 2]
        assert int(client.get_model_version_by_alias(name, "champion").version) == 2


def test_the_version_is_tagged_with_where_it_comes_from(problem: Problem, corrected: Settings) -> None:
    tags = register_next(problem, corrected).tags
    assert tags["continued_from"] == "1"
    assert tags["corrections_md5"] == md5(corrected.corrections)
    assert tags["train_md5"] == md5(corrected.data_dir / "train.csv")
    assert tags["sklearn_version"] == "2"
    assert (tags["hidden_layers"], tags["epochs"]) == ("4", "500")
    assert tags["git_commit"]
    assert float(tags["test_accuracy"]) >= 0.9


def test_the_scorer_of_outliers_learns_the_corrections(
    problem: Problem, corrected: Settings, trained: Version, tmp_path: Path
) -> None:
    version = register_next(problem, corrected)
    fitting, validation = split(read_table(corrected.data_dir / "train.csv", problem, indices=True))
    added = read_table(corrected.corrections, problem, indices=True)
    known = Table(np.concatenate([fitting.X, added.X]), np.concatenate([fitting.y, added.y]))
    expected = fit_outlier_scorer(known, validation)
    bundle = onnx_of(version, tmp_path)
    assert bundle.metadata["outliers"] == {
        "threshold": expected.threshold,
        "training_rate": expected.training_rate,
    }
    X = validation.X.astype(np.float32)
    scores = bundle.predict(X).outlier_scores
    assert scores is not None
    np.testing.assert_allclose(scores, expected.score(X), rtol=0, atol=1e-5)
    before = onnx_of(trained, tmp_path / "before").predict(X).outlier_scores
    assert before is not None
    assert np.abs(scores - before).max() > 1e-3


def test_both_flavours_and_the_run_tell_of_outliers(problem: Problem, corrected: Settings) -> None:
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    train.register(problem, corrected, tuned, train.check_accuracy(problem, corrected, tuned))
    assert tuned.scorer
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        tags = client.get_model_version_by_alias(name, "champion").tags
        assert tags["outlier_threshold"] == f"{tuned.scorer.threshold:.4f}"
        assert tags["outlier_rate"] == f"{tuned.scorer.training_rate:.4f}"
    assert client.get_run(tuned.run_id).data.metrics.items() >= tuned.scorer.metrics.items()


def test_the_bundle_says_what_the_scikit_learn_model_says(
    problem: Problem, corrected: Settings, tmp_path: Path
) -> None:
    version = register_next(problem, corrected)
    newest = publish.newest(problem.sklearn_name)
    assert newest is not None
    model = publish.load_sklearn(newest)
    bundle = onnx_of(version, tmp_path)
    bundle.check_golden()
    X = read_table(corrected.data_dir / "test.csv", problem, indices=True).X.astype(np.float32)
    answer = bundle.predict(X)
    np.testing.assert_array_equal(answer.labels, model.predict(X))
    assert answer.probabilities is not None
    np.testing.assert_allclose(answer.probabilities, model.predict_proba(X), atol=1e-5)
    assert bundle.metadata["metrics"]["accuracy"] == pytest.approx(float(version.tags["test_accuracy"]), abs=1e-4)


def test_the_run_in_mlflow_has_parameters_and_results(problem: Problem, corrected: Settings) -> None:
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    verdict = train.check_accuracy(problem, corrected, tuned)
    run = mlflow.MlflowClient(corrected.mlflow_uri).get_run(tuned.run_id)
    assert run.data.params["continued_from"] == "1"
    assert run.data.params["corrections"] == "5"
    assert run.data.metrics["test_accuracy"] == pytest.approx(verdict.metrics["accuracy"])
    assert run.info.status == "FINISHED"


def test_why_a_model_is_refused_stands_in_its_run(problem: Problem, corrected: Settings) -> None:
    test = corrected.data_dir / "test.csv"
    test.write_text("".join(f"{row[:-1]}{(int(row[-1]) + 1) % 3}\n" for row in test.read_text().splitlines()))
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    verdict = train.check_accuracy(problem, corrected, tuned)
    assert verdict.refused_because
    run = mlflow.MlflowClient(corrected.mlflow_uri).get_run(tuned.run_id)
    assert run.data.tags["refused_because"] == verdict.refused_because


def test_a_version_is_found_by_the_data_it_has_learnt_from(problem: Problem, corrected: Settings) -> None:
    assert train.version_of_same_data(problem, corrected, corrected.corrections) is None
    version = register_next(problem, corrected)
    assert train.version_of_same_data(problem, corrected, corrected.corrections) == version
    with corrected.corrections.open("a") as file:
        file.write("5.1,3.5,1.4,0.2,0\n")
    assert train.version_of_same_data(problem, corrected, corrected.corrections) is None


def test_the_next_fine_tuning_goes_on_from_the_last(problem: Problem, corrected: Settings) -> None:
    register_next(problem, corrected)
    with corrected.corrections.open("a") as file:
        file.write(CORRECTIONS)
    third = register_next(problem, corrected)
    assert third.number == 3
    assert third.tags["continued_from"] == "2"


def test_an_export_that_says_something_else_is_not_registered(
    problem: Problem, corrected: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    verdict = train.check_accuracy(problem, corrected, tuned)
    # No export is as near as this.
    monkeypatch.setattr(onnx_io, "TOLERANCE", -1.0)
    with pytest.raises(onnx_io.ModelError, match="differ"):
        train.register(problem, corrected, tuned, verdict)
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        assert [int(one.version) for one in client.search_model_versions(f"name = '{name}'")] == [1]
        assert int(client.get_model_version_by_alias(name, "champion").version) == 1


def test_an_export_with_other_outlier_scores_is_not_registered(
    problem: Problem, corrected: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = train.continue_champion(problem, corrected, corrected.corrections)
    verdict = train.check_accuracy(problem, corrected, tuned)
    honest = OutlierScorer.score
    # Only for the test rows: the golden rows are a few.
    monkeypatch.setattr(OutlierScorer, "score", lambda scorer, X: honest(scorer, X) + (1e-3 if len(X) == 30 else 0.0))
    with pytest.raises(onnx_io.ModelError, match="the outlier scores of row"):
        train.register(problem, corrected, tuned, verdict)
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    assert [int(one.version) for one in client.search_model_versions("name = 'IrisModel'")] == [1]


def test_without_a_version_there_is_nothing_to_go_on_from(problem: Problem, settings: Settings) -> None:
    settings.corrections.write_text(CORRECTIONS)
    with pytest.raises(train.NothingToContinueError, match=r"python main\.py"):
        train.continue_champion(problem, settings, settings.corrections)


@pytest.mark.parametrize("broken", ["5.9,3.0,4.2,1.5\n", "5.9,3.0,4.2,x,1\n", "5.9,3.0,4.2,1.5,7\n", ""])
def test_damaged_corrections_are_named_and_nothing_is_trained(
    problem: Problem, corrected: Settings, broken: str
) -> None:
    corrected.corrections.write_text(broken)
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    experiment = client.get_experiment_by_name("IrisDev")
    assert experiment is not None
    before = len(client.search_runs([experiment.experiment_id]))
    with pytest.raises(DataError, match=r"finetune\.csv, row 1, column"):
        train.continue_champion(problem, corrected, corrected.corrections)
    assert len(client.search_runs([experiment.experiment_id])) == before
