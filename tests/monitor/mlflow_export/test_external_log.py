"""The external log: what is written to MLflow, once, whatever becomes of the process that writes it."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import cast

import mlflow
import pytest
from mlflow.entities import Run
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from common.problem import Problem
from common.registry.client import Version
from common.settings import PROJECT, Settings
from common.store import Store
from common.store.predictions import PredictionRow
from common.store.process_lock import process_lock
from common.table import read_table
from monitor.mlflow_export import exporting
from monitor.mlflow_export.exporting import export_all
from monitor.mlflow_export.mlflow_runs import DayRuns
from monitor.statistics.enough import MEAN_ROWS
from scripts.parts import free_port, wait_for
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, VIRGINICA, prediction
from tests.monitor.mlflow_export.dying_export import POINTS
from tests.programs import Ended, error_line, run_python

DAY, NEXT_DAY = NOON.date(), NOON.date() + timedelta(days=1)
SIGKILLED = -9
numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A problem of the test's own, whose experiment is empty, and whose model is not in the registry."""
    return f"exported_{time.time_ns()}_{next(numbers)}"


@pytest.fixture(autouse=True)
def without_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "can_report", lambda: False)


@pytest.fixture
def lab(tmp_path: Path, mlflow_uri: str) -> Settings:
    return Settings(lab_home=tmp_path, database_url=f"sqlite:///{tmp_path}/data/lab.db", mlflow_uri=mlflow_uri)


@pytest.fixture
def either_lab(lab: Settings, either_url: str) -> Settings:
    return lab.model_copy(update={"database_url": either_url})


def row(name: str, prediction_id: str, class_name: str = SETOSA, **changed: object) -> PredictionRow:
    own = {"model_name": f"{name}Model", **changed}
    return cast("PredictionRow", prediction(prediction_id, class_name, problem=name) | own)


def write(lab: Settings, *rows: PredictionRow) -> None:
    with closing(Store(lab.database_url)) as store:
        store.predictions.write(rows)


def write_some(lab: Settings, name: str, count: int = 7) -> None:
    """Write so many rows of two days, each of which the challenger has answered, too."""
    moments = [NOON + timedelta(days=number % 2, seconds=number) for number in range(count)]
    rows = [row(name, f"{number}", CLASSES[number % 3], predicted_at=at) for number, at in enumerate(moments)]
    write(lab, *rows, *(each | {"role": "shadow", "model_version": 2} for each in rows))


def runs(lab: Settings, name: str) -> dict[date, Run]:
    """Return the runs of a problem's experiment by day."""
    client = mlflow.MlflowClient(lab.mlflow_uri)
    experiment = client.get_experiment_by_name(f"{name.title().replace('_', '')}Monitoring")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    by_day = {date.fromisoformat(run.data.tags["day"]): run for run in found}
    assert len(by_day) == len(found)
    return by_day


def points(lab: Settings, run: Run, metric: str) -> list[tuple[int, float]]:
    """Return the steps and values of a metric."""
    history = mlflow.MlflowClient(lab.mlflow_uri).get_metric_history(run.info.run_id, metric)
    return sorted((each.step, each.value) for each in history)


def profiled(lab: Settings, name: str, *path: str, since: date = DAY) -> Counter[str]:
    """Return the counts under a path in the profiles of the days from `since`, added up; by default rows by role."""
    experiment, client = DayRuns(lab.mlflow_uri, name), mlflow.MlflowClient(lab.mlflow_uri)
    days = [run for run in experiment.newest(1_000) if str(since) <= run.data.tags["day"]]
    places = [(run.info.run_id, path) for run in days for path in experiment.profiles(run.info.run_id)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(client.download_artifacts(*place, folder)) for place in places]
        profiles = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    counts: Counter[str] = Counter()
    for profile in profiles:
        counts.update(reduce(lambda found, key: found.get(key, {}), path or ("rows",), profile))
    return counts


def wait_until_free(url: str) -> None:
    """Wait until nobody holds the place of the exporter: PostgreSQL has to notice that a killed holder has gone."""

    def is_free() -> bool:
        with process_lock(url, "exporting") as found:
            return found

    wait_for("the place", is_free)


def command(lab: Settings, *words: str) -> Ended:
    return run_python("-m", *words, environment={**os.environ, **lab.environment()})


def test_each_day_is_a_run_and_each_export_a_step_in_it(either_lab: Settings, name: str) -> None:
    write_some(either_lab, name)
    assert export_all(either_lab, 3) == "exported 14 rows in 5 exports"
    found = runs(either_lab, name)
    assert {day: points(either_lab, run, "champion_rows") for day, run in found.items()} == {
        DAY: [(1, 2), (2, 1), (3, 1)],
        NEXT_DAY: [(1, 2), (2, 1)],
    }
    assert points(either_lab, found[NEXT_DAY], "challenger_rows") == [(1, 1), (2, 2)]
    tags = {tag: value for tag, value in found[DAY].data.tags.items() if not tag.startswith("mlflow.")}
    assert tags.pop("numbers_of").endswith(".json")
    assert tags == {"problem": name, "model_name": f"{name}Model", "day": "2026-03-01"}
    assert found[DAY].info.run_name == "2026-03-01"
    assert found[DAY].info.start_time == datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1e3
    with closing(Store(either_lab.database_url)) as store:
        assert (store.exports.waiting(), store.exports.unfinished()) == ({}, [])
        assert [each.exported_at is not None for each in store.predictions.get("0")] == [True, True]


def test_the_profiles_hold_every_row_once(either_lab: Settings, name: str) -> None:
    write_some(either_lab, name)
    export_all(either_lab, 3)
    assert profiled(either_lab, name) == {"champion": 7, "shadow": 7}
    classes = profiled(either_lab, name, "names", "champion/class", "counts")
    assert classes == {SETOSA: 3, VERSICOLOR: 2, VIRGINICA: 2}
    assert profiled(either_lab, name, since=NEXT_DAY) == {"champion": 3, "shadow": 3}


def test_the_numbers_are_those_of_the_champions_rows(lab: Settings, name: str) -> None:
    late = NOON + timedelta(hours=1)
    of_each = [
        (
            row(name, f"a{number}", is_outlier=True, confidence=0.5),
            row(name, f"b{number}", VERSICOLOR, confidence=0.9, predicted_at=late),
            row(name, f"c{number}", is_outlier=None, confidence=None),
            row(name, f"a{number}", VIRGINICA, role="shadow", is_outlier=True, confidence=0.1),
        )
        for number in range(MEAN_ROWS)
    ]
    write(lab, *(each for rows in of_each for each in rows))
    export_all(lab, 1_000)
    found = runs(lab, name)[DAY].data.metrics
    expected: dict[str, float] = {"champion_rows": 3 * MEAN_ROWS, "challenger_rows": MEAN_ROWS}
    expected |= {"outlier_ratio": 0.5, "confidence_mean": 0.7}
    expected |= {"share/Iris-setosa": 2 / 3, "share/Iris-versicolor": 1 / 3, "mean/petal_width": 0.2}
    assert {metric: found[metric] for metric in expected} == pytest.approx(expected)
    assert not [metric for metric in found if metric.startswith(("psi/", "drift/"))]
    [moment] = mlflow.MlflowClient(lab.mlflow_uri).get_metric_history(runs(lab, name)[DAY].info.run_id, "outlier_ratio")
    assert moment.timestamp == int(late.timestamp() * 1e3)


def test_metrics_that_need_more_rows_are_left_out(lab: Settings, name: str) -> None:
    write(lab, row(name, "a", is_outlier=True))
    export_all(lab, 100)
    found = runs(lab, name)[DAY].data.metrics
    assert (found["champion_rows"], found["champion_outliers"]) == (1, 1)
    assert not {"outlier_ratio", "confidence_mean"} & found.keys()
    assert not [metric for metric in found if "/" in metric]


def test_the_performance_of_a_day_is_logged_again_when_labels_come(lab: Settings, name: str) -> None:
    answers = [*CLASSES, SETOSA, SETOSA, VIRGINICA]
    truths = [SETOSA, VERSICOLOR, VERSICOLOR, SETOSA, VIRGINICA]
    write(lab, *(row(name, str(number), answer) for number, answer in enumerate(answers)))
    with closing(Store(lab.database_url)) as store:
        for number, truth in enumerate(truths):
            store.feedback.give(str(number), truth)
        export_all(lab, 100)
        told = runs(lab, name)[DAY].data.metrics
        labelled, macro = answers[: len(truths)], {"average": "macro", "zero_division": 0}
        expected = {
            "champion_accuracy": accuracy_score(truths, labelled),
            "champion_precision": precision_score(truths, labelled, **macro),
            "champion_recall": recall_score(truths, labelled, **macro),
            "champion_f1": f1_score(truths, labelled, **macro),
            "champion_recall/Iris-versicolor": 0.5,
            "champion_predictions": 6,
            "champion_labels": 5,
            "champion_label_coverage": 5 / 6,
        }
        assert {metric: told[metric] for metric in expected} == pytest.approx(expected)
        assert "challenger_accuracy" not in told
        assert told["champion_accuracy_low"] < told["champion_accuracy"] < told["champion_accuracy_high"]
        assert told["label_delay_seconds"] > 0
        store.feedback.give("5", SETOSA)
        assert export_all(lab, 100) == "exported 0 rows in 0 exports"
    told = runs(lab, name)[DAY].data.metrics
    assert (told["champion_labels"], told["champion_accuracy"]) == (6, 0.5)


def test_where_nothing_is_new_nothing_is_written(lab: Settings, name: str) -> None:
    write_some(lab, name)
    with closing(Store(lab.database_url)) as store:
        store.feedback.give("0", VERSICOLOR)
    export_all(lab, 100)
    client = mlflow.MlflowClient(lab.mlflow_uri)

    def everything() -> list[str]:
        keys = [(run.info.run_id, each) for run in runs(lab, name).values() for each in run.data.metrics]
        return [str(point.to_dictionary()) for key in keys for point in client.get_metric_history(*key)]

    before = everything()
    assert export_all(lab, 100) == "exported 0 rows in 0 exports"
    assert everything() == before


@pytest.mark.parametrize(
    ("point", "database"), [*((each, "sqlite") for each in POINTS), ("within a claim", "postgresql")]
)
def test_a_killed_export_neither_loses_nor_doubles_a_row(
    lab: Settings, name: str, request: pytest.FixtureRequest, point: str, database: str
) -> None:
    if database == "postgresql":
        lab = lab.model_copy(update={"database_url": request.getfixturevalue("postgres_url")})
    write_some(lab, name)
    killed = command(lab, "tests.monitor.mlflow_export.dying_export", point, "5")
    assert (killed.stderr, killed.returncode) == ("", SIGKILLED)
    wait_until_free(lab.database_url)
    done = export_all(lab, 5)
    assert done.startswith("exported 9 rows" if point == "after finish" else "exported 14 rows")
    assert profiled(lab, name) == {"champion": 7, "shadow": 7}
    found = runs(lab, name)
    logged = {day: points(lab, run, "champion_rows") for day, run in found.items()}
    # One point a step, without a gap.
    assert all([step for step, _ in steps] == list(range(1, len(steps) + 1)) for steps in logged.values())
    assert {day: sum(rows for _, rows in steps) for day, steps in logged.items()} == {DAY: 4, NEXT_DAY: 3}
    with closing(Store(lab.database_url)) as store:
        assert (store.exports.waiting(), store.exports.unfinished()) == ({}, [])


def test_of_two_at_once_one_leaves_it_to_the_other(either_lab: Settings, name: str) -> None:
    write_some(either_lab, name)
    with process_lock(either_lab.database_url, "exporting") as first:
        assert first
        second = command(either_lab, "monitor.external_log")
    expected = (0, "another process is writing the external log\n", "")
    assert (second.returncode, second.stdout, second.stderr) == expected
    assert runs(either_lab, name) == {}
    assert export_all(either_lab, 100).startswith("exported 14 rows")


def test_the_lock_is_free_again_when_its_holder_was_killed(either_lab: Settings) -> None:
    with closing(Store(either_lab.database_url)):
        pass
    holding = (
        "import sys, time; from common.store.process_lock import process_lock\n"
        "with process_lock(sys.argv[1], 'exporting') as found: print(found, flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holding, either_lab.database_url], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        with process_lock(either_lab.database_url, "exporting") as found:
            assert not found
        holder.kill()
    wait_until_free(either_lab.database_url)


def test_a_store_that_was_begun_anew_adds_to_the_day(lab: Settings, name: str) -> None:
    write_some(lab, name, 2)
    export_all(lab, 100)
    for file in (lab.lab_home / "data").glob("lab.db*"):
        file.unlink()
    write_some(lab, name, 2)
    export_all(lab, 100)
    assert profiled(lab, name) == {"champion": 4, "shadow": 4}
    assert points(lab, runs(lab, name)[DAY], "champion_rows") == [(1, 1), (2, 1)]


def test_names_that_mlflow_would_refuse_are_written_too(lab: Settings, name: str) -> None:
    awkward = ("..", "a(b", "a)b", "x/../y", "ja/nein?", "é" * 256)
    features = {"worst (cm²)": 1.0, "..": "red"}
    ids = [(f"{number}{each[:9]}", each) for number in range(MEAN_ROWS) for each in awkward]
    write(lab, *(row(name, prediction_id, each, features=features) for prediction_id, each in ids))
    export_all(lab, 1_000)
    found = runs(lab, name)[DAY].data.metrics
    assert Counter(metric.partition("/")[0] for metric in found)["share"] == len(awkward)
    assert {"share/a_b", "share/a_b_", "mean/worst _cm²_"} <= found.keys()
    assert profiled(lab, name, "names", "feature/..", "counts") == {"red": len(ids)}


def test_drift_from_the_training_rows_of_the_served_version_is_logged(
    settings: Settings, trained: Version, problem: Problem, name: str
) -> None:
    table = read_table(settings.data_dir / "train.csv", problem, indices=True)
    rows = []
    for number in range(600):
        values = dict(zip(problem.columns, table.X[number % len(table.X)].tolist(), strict=True))
        values["petal_width"] += 5.0
        named = problem.target.classes[table.y[number % len(table.y)]]
        changed = {"features": values, "model_name": MODEL, "model_version": trained.number}
        rows.append(row(name, str(number), named, **changed))
    write(settings, *rows)
    export_all(settings, 1000)
    found = runs(settings, name)[DAY].data.metrics
    assert (found["drift/petal_width"], found["drift/petal_length"]) == (1, 0)
    assert found["psi/petal_width"] > 1
    assert 0 <= found["psi/petal_length"] < 0.2
    assert found["wasserstein/petal_width"] > 1
    assert found["p_value/petal_width"] < 0.001
    assert "chi2/predicted class" in found


def test_without_mlflow_it_says_so_soon_and_claims_nothing(lab: Settings, name: str) -> None:
    write_some(lab, name)
    away = lab.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    began = time.monotonic()
    line = error_line(command(away, "monitor.external_log"))
    assert line.startswith(f"external_log: no MLflow at {away.mlflow_uri}")
    assert time.monotonic() - began < 30  # on a machine with nothing else to do: 2
    with closing(Store(lab.database_url)) as store:
        assert store.exports.unfinished() == []
        assert store.exports.waiting() == {name: 14}


def test_a_refusal_of_mlflow_is_one_line_and_the_rows_are_exported_later(lab: Settings, name: str) -> None:
    write_some(lab, name)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    experiment = client.create_experiment(f"{name.title().replace('_', '')}Monitoring")
    client.delete_experiment(experiment)
    line = error_line(command(lab, "monitor.external_log"))
    assert line.startswith(f"external_log: MLflow at {lab.mlflow_uri}: ")
    client.restore_experiment(experiment)
    assert export_all(lab, 100).startswith("exported 14 rows")
    assert profiled(lab, name) == {"champion": 7, "shadow": 7}


def test_a_batch_has_a_row_at_least(lab: Settings) -> None:
    failed = command(lab, "monitor.external_log", "--rows", "0")
    assert failed.returncode == 2
    assert "--rows" in failed.stderr


def test_the_same_numbers_logged_again_are_there_once(lab: Settings, name: str) -> None:
    experiment = DayRuns(lab.mlflow_uri, name)
    run_id = experiment.of("AnyModel", DAY)
    values = {f"metric {number}": number / 7 for number in range(1500)}
    for _ in range(2):
        experiment.log(run_id, values, 1, NOON)
    assert experiment.of("AnyModel", DAY) == run_id
    assert experiment.of("OtherModel", DAY) != run_id
    found = mlflow.MlflowClient(lab.mlflow_uri).get_run(run_id)
    assert found.data.metrics == values
    for metric in ("metric 0", "metric 3", "metric 1499"):
        assert points(lab, found, metric) == [(1, values[metric])]


def test_evidently_reports_each_new_day_if_it_is_installed(
    lab: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []

    def told_rows(rows: list[object], day_before: list[object]) -> str:
        told.append((len(rows), len(day_before)))
        return f"<p>{len(rows)}</p>"

    monkeypatch.setattr(exporting, "can_report", lambda: True)
    monkeypatch.setattr(exporting, "html_report", told_rows)
    write_some(lab, name)
    export_all(lab, 2)
    assert told == [(4, 0), (3, 4)]
    [report] = mlflow.MlflowClient(lab.mlflow_uri).list_artifacts(runs(lab, name)[DAY].info.run_id, "reports")
    assert report.path == "reports/evidently.html"
    export_all(lab, 2)
    assert len(told) == 2


def test_a_report_that_fails_keeps_no_row_back(
    lab: Settings, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> str:
        raise KeyError("odd")

    monkeypatch.setattr(exporting, "can_report", lambda: True)
    monkeypatch.setattr(exporting, "html_report", fails)
    write_some(lab, name)
    assert export_all(lab, 100).startswith("exported 14 rows")
    assert f"the report of {name}Model on {DAY}" in caplog.text
