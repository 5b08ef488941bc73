"""Figures of a version are those of the file that serves, which takes numbers in single precision."""

import json
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.bundle.model import ModelError, OnnxModel
from common.files import write_atomic
from common.problem import Candidate, Number, Problem, Table, Target
from common.settings import Settings
from common.table import table_bytes
from tests.training.conftest import bundle_of
from training.fitting import fit_and_score
from training.search import train

MIDNIGHT = 2024031500.0  # the 15th of March 2024, as a number that ends with the hour
PARTS = ("night", "day", "evening")


def forest() -> list[Candidate]:
    trees = RandomForestClassifier(n_estimators=5, random_state=0)
    return [Candidate({"trees": 5}, lambda X, y: make_pipeline(StandardScaler(), clone(trees)).fit(X, y))]


def unused(*_: object) -> Table:
    raise NotImplementedError


def day(origin: float) -> Problem:
    """Return a problem of two columns: a temperature, and the moment that alone tells the part of the day."""
    features = (
        Number("temperature", unit="°C", description="of the air", minimum=-50, maximum=50, example=10.0),
        Number("moment", unit="h", description="year to hour", minimum=0, maximum=1e10, example=origin),
    )
    return Problem(
        name="parts_of_day",
        features=features,
        target=Target("part", PARTS),
        load=unused,
        candidates=forest,
        continue_training=unused,  # type: ignore[arg-type]  # no test continues it
    )


def hours(rows: int, origin: float) -> Table:
    hour = np.arange(rows) % 24
    temperature = np.round(np.random.default_rng(rows).normal(10, 5, rows), 1)
    return Table(np.column_stack([temperature, origin + hour]), (hour // 8).astype(np.int64))


@pytest.fixture
def lab(settings: Settings) -> Settings:
    return settings.model_copy(update={"problem": "parts_of_day"})


def prepare(lab: Settings, origin: float) -> None:
    for name, rows in (("train", 480), ("test", 120)):
        write_atomic(lab.data_dir / f"{name}.csv", table_bytes(hours(rows, origin), ["0", "1", "2"]))


def test_a_model_whose_column_single_precision_cannot_hold_is_refused_and_the_column_is_named(lab: Settings) -> None:
    prepare(lab, MIDNIGHT)
    with pytest.raises(ModelError) as refused:
        train(day(MIDNIGHT), lab)
    line = str(refused.value)
    assert len(line.splitlines()) == 1
    assert "80 of 120 test rows" in line
    assert "column moment: 2024031500.0 becomes 2024031488.0" in line
    assert "subtract an origin from the column, or use another unit" in line
    assert mlflow.MlflowClient(lab.mlflow_uri).search_registered_models() == []


def test_the_search_judges_a_candidate_by_rows_as_the_service_has_them() -> None:
    (candidate,) = forest()
    asked = fit_and_score(candidate.fit, hours(480, MIDNIGHT), hours(120, MIDNIGHT))
    assert asked.metrics["val_accuracy"] == pytest.approx(1 / 3)
    assert fit_and_score(candidate.fit, hours(480, 0.0), hours(120, 0.0)).metrics["val_accuracy"] == 1.0


def test_tags_run_and_file_have_the_results_of_the_file_asked_as_clients_ask(lab: Settings) -> None:
    prepare(lab, 0.0)
    noisy = replace(hours(120, 0.0), y=(hours(120, 0.0).y + (np.arange(120) % 10 == 0)) % 3)
    write_atomic(lab.data_dir / "test.csv", table_bytes(noisy, ["0", "1", "2"]))
    version = train(day(0.0), lab).champion
    client = mlflow.MlflowClient(lab.mlflow_uri)
    model = OnnxModel(bundle_of(lab, version))
    body = json.loads(json.dumps(noisy.X.tolist()))
    right = int((model.predict(model.as_rows(body)).labels == noisy.y).sum())
    assert right == 108
    assert version.tags["test_accuracy"] == "0.9000"
    assert model.metadata["metrics"]["accuracy"] == right / 120
    assert np.trace(model.metadata["reference"]["answers"]["confusion"]) == right
    run = client.get_run(str(client.get_model_version(version.name, str(version.number)).run_id))
    assert run.data.metrics["test_accuracy"] == right / 120
