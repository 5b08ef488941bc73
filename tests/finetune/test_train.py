"""Fine-tuning against a real MLflow: from the newest version and the corrections to the next version."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from common.bundle import answer
from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer
from common.files import md5
from common.problem import Problem
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.table import DataError, read_table
from finetune import gate, train, versions
from training import search

CORRECTIONS = "5.9,3.0,4.2,1.5,1\n6.0,2.2,5.0,1.5,2\n6.3,3.3,6.0,2.5,2\n5.1,3.5,1.4,0.2,0\n5.7,2.8,4.1,1.3,1\n"


@pytest.fixture
def corrected(settings: Settings, trained: Version) -> Settings:
    """A lab with version 1 and five corrections."""
    assert trained.number == 1
    settings.corrections.write_text(CORRECTIONS)
    return settings


def tune(problem: Problem, settings: Settings) -> train.FineTuned:
    """Let the model learn in one way only."""
    serving = versions.serving_version(problem, settings)
    return train.fine_tune(replace(problem, refit=None), settings, serving, train.added_files(settings, serving))


def register_next(problem: Problem, settings: Settings) -> Version:
    """Let the next version pass the gate of the threshold, and serve."""
    serving, tuned = versions.serving_version(problem, settings), tune(problem, settings)
    version = versions.register(problem, settings, serving, tuned, gate.check(problem, settings, tuned, None))
    versions.put_into_service(problem, settings, version)
    return version


def continued(problem: Problem, settings: Settings) -> Any:
    """Return the perceptron that a fine-tuning makes."""
    return tune(problem, settings).models["continued"]


def same_data(problem: Problem, settings: Settings) -> Version | None:
    files = train.added_files(settings, versions.serving_version(problem, settings))
    return versions.version_of_same_data(problem, settings, files)


def onnx_of(version: Version, folder: Path) -> OnnxModel:
    path = mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.number}", dst_path=str(folder))
    return OnnxModel((Path(path) / "model.onnx").read_bytes())


def test_five_epochs_at_a_tenth_of_the_rate_go_on_from_the_newest_model(problem: Problem, corrected: Settings) -> None:
    publish.use_mlflow(corrected.mlflow_uri, problem.sklearn_name)
    base_version = publish.newest(problem.sklearn_name)
    assert base_version is not None
    base = publish.load_sklearn(problem, corrected, base_version)
    tuned = continued(problem, corrected)
    assert tuned.n_iter_ == 5
    assert tuned.learning_rate_init == pytest.approx(base.learning_rate_init / 10)  # type: ignore[attr-defined]
    before, after = base.coefs_, tuned.coefs_  # type: ignore[attr-defined]  # of the perceptron
    moved = max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
    # Adam moves a weight by about the rate in each of its steps: one step an epoch here, since the rows are few.
    assert 0 < moved < 2 * 5 * tuned.learning_rate_init


def test_corrections_weigh_more_than_original_rows(problem: Problem, corrected: Settings) -> None:
    from problems import iris

    rows = read_table(corrected.data_dir / "train.csv", problem, indices=True)
    table = read_table(corrected.corrections, problem, indices=True)
    tuned = tune(problem, corrected)
    base_version = publish.newest(problem.sklearn_name)
    assert base_version is not None
    weights = np.array([0.7] * len(rows.y) + [1.0] * len(table.y))
    expected = publish.load_sklearn(problem, corrected, base_version)
    expected.set_params(warm_start=True, max_iter=5, learning_rate_init=0.0001, n_iter_no_change=np.inf)  # type: ignore[attr-defined]
    iris._fit(expected, tuned.rows.X, tuned.rows.y, weights)
    np.testing.assert_array_equal(tuned.models["continued"].predict_proba(rows.X), expected.predict_proba(rows.X))
    assert sorted(tuned.rows.X[-5:].tolist()) == sorted(table.X.tolist())
    np.testing.assert_array_equal(tuned.rows.X[:-5], rows.X)


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


def test_an_outlier_that_was_taught_five_times_is_one_still(
    problem: Problem, corrected: Settings, trained: Version, tmp_path: Path
) -> None:
    strange = [0.5, 9.0, 0.1, 9.0]
    corrected.corrections.write_text(f"{','.join(map(str, strange))},1\n" * 5)
    version = register_next(problem, corrected)
    before, after = onnx_of(trained, tmp_path / "before"), onnx_of(version, tmp_path / "after")
    assert after.metadata["outliers"] == before.metadata["outliers"]
    answers = [model.predict(model.as_rows([strange])) for model in (before, after)]
    assert [model.is_outlier(answer) for model, answer in zip((before, after), answers, strict=True)] == [[True]] * 2
    assert answers[0].outlier_scores == answers[1].outlier_scores


def test_both_flavours_and_the_run_tell_of_outliers(problem: Problem, corrected: Settings) -> None:
    tuned = tune(problem, corrected)
    serving = versions.serving_version(problem, corrected)
    versions.put_into_service(
        problem,
        corrected,
        versions.register(problem, corrected, serving, tuned, gate.check(problem, corrected, tuned, None)),
    )
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
    model = publish.load_sklearn(problem, corrected, newest)
    bundle = onnx_of(version, tmp_path)
    bundle.check_golden()
    X = read_table(corrected.data_dir / "test.csv", problem, indices=True).X.astype(np.float32)
    answer = bundle.predict(X)
    np.testing.assert_array_equal(answer.labels, model.predict(X))
    assert answer.probabilities is not None
    np.testing.assert_allclose(answer.probabilities, model.predict_proba(X), atol=1e-5)
    assert bundle.metadata["metrics"]["accuracy"] == pytest.approx(float(version.tags["test_accuracy"]), abs=1e-4)


def test_the_run_in_mlflow_has_parameters_and_results(problem: Problem, corrected: Settings) -> None:
    tuned = tune(problem, corrected)
    tested = gate.check(problem, corrected, tuned, None).tested
    assert tested is not None
    run = mlflow.MlflowClient(corrected.mlflow_uri).get_run(tuned.run_id)
    assert run.data.params["continued_from"] == "1"
    assert run.data.params["corrections"] == "5"
    assert run.data.metrics["test_accuracy"] == pytest.approx(tested.metrics["accuracy"])
    assert run.info.status == "FINISHED"


def test_why_a_model_is_refused_stands_in_its_run(problem: Problem, corrected: Settings) -> None:
    test = corrected.data_dir / "test.csv"
    test.write_text("".join(f"{row[:-1]}{(int(row[-1]) + 1) % 3}\n" for row in test.read_text().splitlines()))
    tuned = tune(problem, corrected)
    reason = gate.check(problem, corrected, tuned, None).because
    assert reason
    run = mlflow.MlflowClient(corrected.mlflow_uri).get_run(tuned.run_id)
    assert run.data.tags["refused_because"] == reason


def test_a_version_is_found_by_the_data_it_has_learnt_from(problem: Problem, corrected: Settings) -> None:
    assert same_data(problem, corrected) is None
    version = register_next(problem, corrected)
    assert same_data(problem, corrected) == version
    with corrected.corrections.open("a") as file:
        file.write("5.1,3.5,1.4,0.2,0\n")
    assert same_data(problem, corrected) is None


def test_each_fine_tuning_starts_from_the_version_that_training_made_and_runs_all_its_epochs(
    problem: Problem, corrected: Settings
) -> None:
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    for number in (2, 3, 4):
        version = register_next(problem, corrected)
        assert (version.number, version.tags["continued_from"]) == (number, "1")
        run = client.get_run(str(client.get_model_version(version.name, str(number)).run_id))
        assert run.data.metrics["continued_epochs_run"] == 5
        with corrected.corrections.open("a") as file:
            file.write(CORRECTIONS)


def test_a_chain_of_versions_is_followed_back_to_training(problem: Problem, corrected: Settings) -> None:
    register_next(problem, corrected)
    third = register_next(problem, corrected)
    # As versions are tagged that were continued one from the other.
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    client.set_model_version_tag("IrisDev", third.tags["sklearn_version"], "continued_from", "2")
    assert register_next(problem, corrected).tags["continued_from"] == "1"


def test_the_same_corrections_make_the_same_model_in_whichever_order_they_came(
    problem: Problem, corrected: Settings
) -> None:
    register_next(problem, corrected)
    first = continued(problem, corrected).coefs_
    corrected.corrections.write_text("".join(sorted(CORRECTIONS.splitlines(keepends=True), reverse=True)))
    again = continued(problem, corrected).coefs_
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_correction_that_is_taken_out_is_out(problem: Problem, corrected: Settings) -> None:
    first = continued(problem, corrected).coefs_
    with corrected.corrections.open("a") as file:
        file.write("5.0,2.0,3.5,1.0,2\n" * 20)
    register_next(problem, corrected)
    other = continued(problem, corrected).coefs_
    assert any((one != two).any() for one, two in zip(first, other, strict=True))
    corrected.corrections.write_text(CORRECTIONS)
    without = continued(problem, corrected).coefs_
    for one, two in zip(first, without, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_export_that_says_something_else_is_refused(
    problem: Problem, corrected: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = tune(problem, corrected)
    # No export in single precision is as near as this.
    monkeypatch.setattr(answer, "TOLERANCE", 1e-12)
    checked = gate.check(problem, corrected, tuned, None)
    assert checked.verdict == "refused"
    assert "the exported model cannot be served: the probabilities of row" in checked.because
    with pytest.raises(ModelError, match="nothing to register"):
        versions.register(problem, corrected, versions.serving_version(problem, corrected), tuned, checked)


def test_an_export_with_other_outlier_scores_is_refused(
    problem: Problem, corrected: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = tune(problem, corrected)
    honest = OutlierScorer.score
    # Only for the test rows: the golden rows are a few.
    monkeypatch.setattr(OutlierScorer, "score", lambda scorer, X: honest(scorer, X) + (1e-3 if len(X) == 30 else 0.0))
    reason = gate.check(problem, corrected, tuned, None).because
    assert "the outlier scores of row" in reason


def test_the_version_that_serves_is_continued_wherever_the_alias_of_the_other_flavour_points(
    problem: Problem, corrected: Settings
) -> None:
    second = train_anew(problem, corrected)
    client = mlflow.MlflowClient(corrected.mlflow_uri)
    client.set_registered_model_alias("IrisModel", "champion", "1")
    assert client.get_model_version_by_alias("IrisDev", "champion").version == second.tags["sklearn_version"] == "2"
    assert register_next(problem, corrected).tags["continued_from"] == "1"


def test_when_the_champion_is_deleted_the_version_that_serves_then_is_continued(
    problem: Problem, corrected: Settings
) -> None:
    train_anew(problem, corrected)
    mlflow.MlflowClient(corrected.mlflow_uri).delete_model_version("IrisModel", "2")
    version = register_next(problem, corrected)
    assert (version.number, version.tags["continued_from"]) == (3, "1")


def train_anew(problem: Problem, settings: Settings) -> Version:
    few = replace(problem, candidates=lambda: [problem.candidates()[0]])
    return search.train(few, settings).champion


def test_a_twin_that_is_gone_is_told_with_what_to_do(problem: Problem, corrected: Settings) -> None:
    mlflow.MlflowClient(corrected.mlflow_uri).delete_model_version("IrisDev", "1")
    with pytest.raises(train.NothingToContinueError, match=r"IrisDev version 1, .* promote another version, or run"):
        tune(problem, corrected)


def test_a_version_registered_by_hand_has_nothing_to_continue(problem: Problem, corrected: Settings) -> None:
    mlflow.MlflowClient(corrected.mlflow_uri).delete_model_version_tag("IrisModel", "1", "sklearn_version")
    with pytest.raises(train.NothingToContinueError, match="IrisModel version 1 serves, and has no scikit-learn twin"):
        tune(problem, corrected)


def test_without_a_version_there_is_nothing_to_go_on_from(problem: Problem, settings: Settings) -> None:
    settings.corrections.write_text(CORRECTIONS)
    with pytest.raises(train.NothingToContinueError, match=r"python main\.py"):
        tune(problem, settings)


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
        tune(problem, corrected)
    assert len(client.search_runs([experiment.experiment_id])) == before
