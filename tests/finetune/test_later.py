"""`python -m finetune.later` on a real MLflow: the rows that were set aside become the next version, once."""

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from api.metrics.declared import Metrics
from common.bundle.model import OnnxModel
from common.files import md5, write_atomic
from common.problem import Classifier, Problem, Table, as_float32
from common.registry import publish
from common.registry.client import Version
from common.registry.publish import load_sklearn
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import DataError, read_table, table_bytes
from finetune import later
from finetune.append import append_corrections
from finetune.candidates import ways
from finetune.train import NothingToContinueError, added_files, fine_tune
from grafana.measures import ON_TEST_DATA
from preprocess import preprocess
from problems import travel_insurance
from scripts.stack import process_environment
from tests.programs import Ended, run_python
from training.search import train

TRAVEL = travel_insurance.PROBLEM
ROWS = "5.9,3.0,4.2,1.5,1\n6.0,2.2,5.0,1.5,2\n6.3,3.3,6.0,2.5,2\n5.1,3.5,1.4,0.2,0\n"
ONE_MORE = "5.7,2.8,4.1,1.3,1\n"


def champion(settings: Settings, name: str) -> Version:
    found = mlflow.MlflowClient(settings.mlflow_uri).get_model_version_by_alias(name, "champion")
    return Version(found.name, int(found.version), found.source or "", dict(found.tags))


# As people do it, on the problem that sets rows aside


@dataclass(frozen=True)
class Outcome:
    """The versions before and after the command. It is fetched at once, because other tests use the same server."""

    output: str
    before: Version
    after: Version
    twin: Version
    model_before: Classifier
    model_after: Classifier
    bundle: OnnxModel
    run: Run
    data: Mapping[str, Table]
    hashes: Mapping[str, str]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> Outcome:
    home = tmp_path_factory.mktemp("later")
    database = f"sqlite:///{home}/lab.db"
    settings = Settings(problem=TRAVEL.name, lab_home=home, database_url=database, mlflow_uri=mlflow_uri)
    drawn = travel_insurance.synthesize(12_000, np.random.default_rng(0))
    write_atomic(settings.data_dir / "data.csv", table_bytes(drawn, TRAVEL.target.classes))
    preprocess(TRAVEL, settings.data_dir)
    before = train(TRAVEL, settings).champion
    ended = run_later(settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    after, twin = champion(settings, TRAVEL.onnx_name), champion(settings, TRAVEL.sklearn_name)
    twin_before = publish.version(TRAVEL.sklearn_name, int(before.tags["sklearn_version"]))
    assert twin_before
    client = mlflow.MlflowClient(mlflow_uri)
    folder = mlflow.artifacts.download_artifacts(f"models:/{after.name}/{after.number}", dst_path=str(home))
    files = {name: settings.data_dir / f"{name}.csv" for name in ("train", "test", "later")}
    return Outcome(
        output=ended.stdout,
        before=before,
        after=after,
        twin=twin,
        model_before=load_sklearn(TRAVEL, settings, twin_before),
        model_after=load_sklearn(TRAVEL, settings, twin),
        bundle=OnnxModel((Path(folder) / "model.onnx").read_bytes()),
        run=client.get_run(str(client.get_model_version(after.name, str(after.number)).run_id)),
        data={name: read_table(file, TRAVEL, indices=True) for name, file in files.items()},
        hashes={name: md5(file) for name, file in files.items()},
    )


def run_later(settings: Settings) -> Ended:
    # The environment names another problem: the command line wins.
    environment = process_environment(settings) | {"PROBLEM": "iris"}
    return run_python("-m", "finetune.later", "--problem", settings.problem, environment=environment)


def measured(model: Classifier, test: Table) -> dict[str, float]:
    """Return what scikit-learn says of a model, under the names that the dashboard has for it."""
    predicted = model.predict(test.X)
    means = precision_recall_fscore_support(test.y, predicted, average="macro", zero_division=np.nan)
    return dict(zip(("precision", "recall", "f1"), map(float, means), strict=False)) | {
        "accuracy": float(accuracy_score(test.y, predicted))
    }


def shown(version: Version) -> dict[str, float]:
    """Return what an api shows to Prometheus of a version, for each metric of the dashboard *Training*."""
    metrics = Metrics()
    metrics.serves(version, "champion")
    labels = {"model_name": version.name, "role": "champion"}
    found = {name: metrics.registry.get_sample_value(f"model_test_{name}_ratio", labels) for name in ON_TEST_DATA}
    return {name: value for name, value in found.items() if value is not None}


def test_both_flavours_get_the_next_version_and_are_champion(outcome: Outcome) -> None:
    assert outcome.after.number == outcome.before.number + 1
    assert outcome.after.tags["continued_from"] == outcome.before.tags["sklearn_version"]
    assert outcome.after.tags["sklearn_version"] == str(outcome.twin.number)
    verdict = outcome.after.tags["verdict"]
    assert outcome.output.startswith(
        f"registered TravelInsuranceModel version {outcome.after.number} ({verdict}); on test.csv: "
    )
    assert len(outcome.output.splitlines()) == 1


def test_the_version_has_learnt_the_later_rows(outcome: Outcome) -> None:
    way = ways(TRAVEL)[outcome.after.tags["candidate"]]
    expected = way(outcome.model_before, outcome.data["train"], outcome.data["later"])
    X = outcome.data["test"].X
    np.testing.assert_array_equal(outcome.model_after.predict_proba(X), expected.predict_proba(X))
    assert (outcome.model_after.predict_proba(X) != outcome.model_before.predict_proba(X)).any()
    learnt = len(outcome.data["train"].y) + len(outcome.data["later"].y)
    assert outcome.bundle.metadata["reference"]["rows"] == learnt
    assert outcome.run.data.params["later"] == str(len(outcome.data["later"].y)) == "2400"
    assert outcome.run.data.params["corrections"] == "0"


def test_the_registered_file_answers_as_the_model_does(outcome: Outcome) -> None:
    rows = as_float32(outcome.data["later"].X)
    answer = outcome.bundle.predict(rows)
    assert answer.probabilities is not None
    np.testing.assert_array_equal(answer.labels, outcome.model_after.predict(rows))
    np.testing.assert_allclose(answer.probabilities, outcome.model_after.predict_proba(rows), rtol=0, atol=1e-5)


def test_the_version_says_which_data_and_parameters_it_has(outcome: Outcome) -> None:
    for version in (outcome.after, outcome.twin):
        assert version.tags["train_md5"] == outcome.hashes["train"] == outcome.before.tags["train_md5"]
        assert version.tags["later_md5"] == outcome.hashes["later"]
        assert "corrections_md5" not in version.tags
        [candidate] = TRAVEL.candidates()
        assert {name: version.tags[name] for name in candidate.params} == {
            name: str(value) for name, value in candidate.params.items()
        }


def test_the_run_has_the_results_on_the_test_rows(outcome: Outcome) -> None:
    after = measured(outcome.model_after, outcome.data["test"])
    found = {key: value for key, value in outcome.run.data.metrics.items() if key.startswith("test_")}
    assert found == pytest.approx({f"test_{name}": value for name, value in after.items()})
    assert outcome.run.info.status == "FINISHED"
    assert f"f1 {after['f1']:.4f}" in outcome.output


def test_the_run_has_a_step_for_the_later_rows_after_those_of_the_training(outcome: Outcome, mlflow_uri: str) -> None:
    client, before = mlflow.MlflowClient(mlflow_uri), outcome.model_before.curves_  # type: ignore[attr-defined]
    for name, curve in before.items():
        points = client.get_metric_history(outcome.run.info.run_id, f"continued_{name}")
        assert [point.step for point in points] == list(range(1, len(curve) + 2))
        np.testing.assert_array_equal([point.value for point in points[:-1]], curve)
    found = outcome.model_after.curves_  # type: ignore[attr-defined]
    last = ", ".join(f"{name.removeprefix('batch_')} {curve[-1]:.4f}" for name, curve in found.items())
    assert outcome.output.endswith(f"; batch {len(found['batch_auc'])}: {last}\n")


def test_what_was_learnt_is_a_step_of_every_metric_of_the_dashboard(outcome: Outcome) -> None:
    before, after = shown(outcome.before), shown(outcome.after)
    assert before == pytest.approx(measured(outcome.model_before, outcome.data["test"]), abs=5e-5)
    assert after == pytest.approx(measured(outcome.model_after, outcome.data["test"]), abs=5e-5)
    assert before.keys() == after.keys() == {"f1", "precision", "recall", "accuracy"}
    assert [name for name in ("f1", "precision", "recall") if before[name] == after[name]] == []


# Step by step, on iris and rows of the test's own


@pytest.fixture
def lab(settings: Settings, trained: Version) -> Settings:
    """A lab with version 1 and four later rows."""
    assert trained.number == 1
    (settings.data_dir / "later.csv").write_text(ROWS)
    return settings


def versions(settings: Settings, name: str = "IrisModel") -> list[int]:
    found = mlflow.MlflowClient(settings.mlflow_uri).search_model_versions(f"name = '{name}'")
    return sorted(int(version.version) for version in found)


def runs(settings: Settings) -> int:
    client = mlflow.MlflowClient(settings.mlflow_uri)
    experiment = client.get_experiment_by_name("IrisDev")
    return len(client.search_runs([experiment.experiment_id], max_results=1000)) if experiment else 0


def test_rows_are_learnt_once(lab: Settings) -> None:
    assert later.learn_later(lab).startswith("registered IrisModel version 2 (")
    known = runs(lab)
    assert later.learn_later(lab) == "version 2 has learnt later.csv already"
    assert (versions(lab), versions(lab, "IrisDev"), runs(lab)) == ([1, 2], [1, 2], known)
    assert champion(lab, "IrisModel").number == 2


def test_a_newer_training_that_has_not_learnt_the_rows_learns_them(lab: Settings, problem: Problem) -> None:
    later.learn_later(lab)
    assert train(problem, lab).champion.number == 3
    assert later.learn_later(lab).startswith("registered IrisModel version 4 (")
    assert later.learn_later(lab) == "version 4 has learnt later.csv already"


def test_more_rows_make_another_version_which_starts_where_the_last_did(lab: Settings) -> None:
    later.learn_later(lab)
    with (lab.data_dir / "later.csv").open("a") as file:
        file.write(ONE_MORE)
    assert later.learn_later(lab).startswith("registered IrisModel version 3 (")
    assert champion(lab, "IrisModel").tags["continued_from"] == "1"


def test_it_is_the_champion_that_is_continued_and_not_the_newest(lab: Settings) -> None:
    later.learn_later(lab)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        client.set_registered_model_alias(name, "champion", "1")
        client.set_registered_model_alias(name, "challenger", "2")
    with (lab.data_dir / "later.csv").open("a") as file:
        file.write(ONE_MORE)
    later.learn_later(lab)
    third = champion(lab, "IrisModel")
    assert (third.number, third.tags["continued_from"]) == (3, "1")
    assert str(client.get_model_version_by_alias("IrisModel", "challenger").version) == "1"


def test_a_result_that_is_not_good_enough_is_refused_and_tried_again_the_next_time(
    lab: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as strict:
        strict.setattr(later, "get_problem", lambda _: replace(problem, min_accuracy=1.01))
        by_threshold = lab.model_copy(update={"gate": "threshold"})
        assert later.learn_later(by_threshold).startswith("refused: accuracy on test.csv is ")
    assert (versions(lab), versions(lab, "IrisDev")) == ([1], [1])
    assert champion(lab, "IrisModel").number == 1
    assert later.learn_later(lab).startswith("registered IrisModel version 2 (")


def test_the_run_shows_the_results_before_and_after(lab: Settings) -> None:
    before = champion(lab, "IrisModel")
    later.learn_later(lab)
    after, client = champion(lab, "IrisModel"), mlflow.MlflowClient(lab.mlflow_uri)
    run_id = str(client.get_model_version(after.name, str(after.number)).run_id)
    for name in ("test_f1", "test_precision", "test_recall", "test_accuracy"):
        points = {point.step: f"{point.value:.4f}" for point in client.get_metric_history(run_id, name)}
        assert points == {0: before.tags[name], 1: after.tags[name]}


def test_corrections_are_learnt_with_the_later_rows_and_stay_for_the_next_fine_tuning(
    lab: Settings, problem: Problem
) -> None:
    lab.corrections.write_text(ONE_MORE)
    later.learn_later(lab)
    assert lab.corrections.read_text() == ONE_MORE
    second = champion(lab, "IrisModel")
    assert second.tags["later_md5"] == md5(lab.data_dir / "later.csv")
    assert second.tags["corrections_md5"] == md5(lab.corrections)
    files = added_files(lab, second)
    assert files == {"later": lab.data_dir / "later.csv", "corrections": lab.corrections}
    lab.corrections.write_text(ONE_MORE * 2)
    rows = fine_tune(problem, lab, second, files).rows
    assert len(rows.y) == 120 + 4 + 2


def test_the_version_remembers_the_corrections_that_it_has_learnt(lab: Settings, problem: Problem) -> None:
    features = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    with closing(Store(lab.database_url)) as store:
        append_corrections(store, problem, Suggestion("a", problem.name, features, "Iris-setosa"), lab.corrections)
        for _ in range(2):
            later.learn_later(lab)
            assert store.trust.versions.that_learnt(problem.name, ["a"]) == [2]


def test_a_version_that_was_registered_and_never_became_champion_does_so_the_next_time(lab: Settings) -> None:
    later.learn_later(lab)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        client.set_registered_model_alias(name, "champion", "1")
    assert later.learn_later(lab) == "version 2 has learnt later.csv already, and is champion now"
    assert (champion(lab, "IrisModel").number, champion(lab, "IrisDev").number) == (2, 2)


# Errors


def refused(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run the command, which has to end with a line on standard error; return the line."""
    monkeypatch.setenv("LAB_HOME", str(settings.lab_home))
    monkeypatch.setenv("MLFLOW_URI", settings.mlflow_uri)
    monkeypatch.setattr(sys, "argv", ["later", *arguments])
    with pytest.raises(SystemExit) as stopped:
        later.main()
    line = str(stopped.value)
    assert len(line.splitlines()) == 1
    return line


def test_without_a_version_there_is_nothing_to_continue(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.data_dir / "later.csv").write_text(ROWS)
    with pytest.raises(NothingToContinueError):
        later.learn_later(settings)
    line = refused(settings, monkeypatch)
    assert line == "later: there is no IrisModel to continue: run `python main.py` first"
    assert versions(settings) == []


def test_a_missing_file_is_told_with_what_to_run(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.data_dir / "later.csv").unlink()
    known = runs(lab)
    with pytest.raises(DataError):
        later.learn_later(lab)
    line = refused(lab, monkeypatch)
    assert line.startswith(f"later: {lab.data_dir / 'later.csv'} is missing: run `make data`")
    assert (versions(lab), runs(lab)) == ([1], known)


def test_missing_data_of_the_whole_problem_are_told_the_same_way(
    lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = refused(lab, monkeypatch, "--problem", "breast_cancer")
    assert line.startswith(f"later: {lab.lab_home / 'data' / 'breast_cancer'}/")
    assert "is missing: run `make data`" in line
    assert not (lab.lab_home / "data" / "breast_cancer").exists()


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_problem_that_sets_no_rows_aside_has_nothing_to_learn(
    lab: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    assert problem.later_share == 0
    (lab.data_dir / "later.csv").write_text(content)
    known = runs(lab)
    line = refused(lab, monkeypatch)
    assert line.startswith(f"later: {lab.data_dir / 'later.csv'}")
    assert "is empty" in line
    assert (versions(lab), runs(lab)) == ([1], known)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("5.9,3.0,4.2,1.5\n", "row 5, column class: missing"),
        ("5.9,3.0,x,1.5,1\n", "row 5, column petal_length: 'x' is not a number"),
        ("5.9,3.0,4.2,1.5,7\n", "row 5, column class: unknown label '7'"),
    ],
)
def test_a_damaged_row_is_named(lab: Settings, monkeypatch: pytest.MonkeyPatch, row: str, told: str) -> None:
    with (lab.data_dir / "later.csv").open("a") as file:
        file.write(row)
    assert refused(lab, monkeypatch).startswith(f"later: {lab.data_dir / 'later.csv'}, {told}")
    assert versions(lab) == [1]


def test_without_mlflow_the_command_says_so_in_one_line(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (offline.data_dir / "later.csv").write_text(ROWS)
    line = refused(offline, monkeypatch)
    assert line.startswith(f"later: no MLflow at {offline.mlflow_uri} (")
    assert "make up" in line


def test_an_unknown_problem_is_refused_with_those_that_there_are(
    offline: Settings, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = offline.model_copy(update={"mlflow_uri": mlflow_uri})
    assert refused(lab, monkeypatch, "--problem", "no_such").startswith("later: unknown problem 'no_such': there is ")
    assert refused(lab, monkeypatch, "--problem", "../iris").startswith("later: bad settings: PROBLEM: ")
