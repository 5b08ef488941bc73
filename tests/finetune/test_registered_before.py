"""A version that was registered when its steps were classes of `common.columns` still loads, serves and goes on.

scikit-learn models are skops files, which name each class by its module; the folder beside this file holds such a one.
"""

from pathlib import Path
from zipfile import ZipFile

import mlflow
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.api import create_app
from common.bundle.model import OnnxModel
from common.files import md5, write_atomic
from common.problem import as_float32
from common.registry import publish
from common.registry.client import CHAMPION, Version
from common.settings import Settings
from common.table import read_table, table_bytes
from finetune.later import learn_later
from preprocess import preprocess
from problems import travel_insurance
from scripts.parts import wait_for

TRAVEL = travel_insurance.PROBLEM
BEFORE = Path(__file__).with_name("registered_before_the_move")


@pytest.fixture
def settings(tmp_path: Path, mlflow_uri: str) -> Settings:
    found = Settings(
        problem=TRAVEL.name, lab_home=tmp_path, database_url=f"sqlite:///{tmp_path}/lab.db", mlflow_uri=mlflow_uri
    )
    # The rows that the version has learnt.
    drawn = travel_insurance.synthesize(1_500, np.random.default_rng(0))
    write_atomic(found.data_dir / "data.csv", table_bytes(drawn, TRAVEL.target.classes))
    preprocess(TRAVEL, found.data_dir)
    return found


@pytest.fixture
def before(settings: Settings) -> Version:
    """The version as the registry has had it since before the move, under the alias `champion`."""
    publish.use_mlflow(settings.mlflow_uri, TRAVEL.name)
    client = mlflow.MlflowClient()
    tags = {"train_md5": md5(settings.data_dir / "train.csv")}
    with mlflow.start_run() as run:
        for flavour, name in (("sklearn", TRAVEL.sklearn_name), ("onnx", TRAVEL.onnx_name)):
            mlflow.log_artifacts(str(BEFORE / flavour), flavour)
            if not client.search_registered_models(f"name = '{name}'"):
                client.create_registered_model(name)
            made = client.create_model_version(name, f"{run.info.artifact_uri}/{flavour}", run.info.run_id, tags=tags)
            tags["sklearn_version"] = str(made.version)
    version = Version(TRAVEL.onnx_name, int(made.version), str(made.source), dict(made.tags))
    publish.move_aliases(TRAVEL, version, CHAMPION)
    return version


def test_its_file_names_the_classes_by_the_former_module() -> None:
    with ZipFile(BEFORE / "sklearn" / "model.skops") as file:
        assert b'"common.columns"' in file.read("schema.json")


def test_it_loads_and_says_what_its_bundle_says(settings: Settings, before: Version) -> None:
    twin = publish.version(TRAVEL.sklearn_name, int(before.tags["sklearn_version"]))
    assert twin is not None
    rows = as_float32(read_table(settings.data_dir / "test.csv", TRAVEL, indices=True).X)
    answer = OnnxModel((BEFORE / "onnx" / "model.onnx").read_bytes()).predict(rows)
    model = publish.load_sklearn(TRAVEL, settings, twin)
    assert answer.probabilities is not None
    assert len(set(answer.probabilities[:, 1].tolist())) > 1
    np.testing.assert_allclose(answer.probabilities, model.predict_proba(rows), rtol=0, atol=1e-5)


def test_it_serves(settings: Settings, before: Version) -> None:
    with TestClient(create_app(settings), "http://localhost") as api:
        wait_for("the version", lambda: api.get("/readyz").is_success)
        answer = api.get("/predict/test").json()
    assert (answer["model_name"], answer["model_version"]) == (before.name, before.number)


def test_later_rows_continue_it(settings: Settings, before: Version) -> None:
    assert learn_later(settings).startswith(f"registered {TRAVEL.onnx_name} version {before.number + 1} (")
    after = publish.champion(TRAVEL.onnx_name)
    assert after is not None
    assert after.tags["continued_from"] == before.tags["sklearn_version"]
