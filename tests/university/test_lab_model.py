"""A model of the university's lab, in the defaults of skl2onnx and MLflow, is served here."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from common.problem import Classifier, Problem, Table
from common.settings import Settings
from common.table import read_table
from scripts.parts import wait_for
from tests.conftest import StartApi, served_version
from tests.university import lab_main
from tests.university.test_lab_api import ask


@pytest.fixture
def model(settings: Settings, problem: Problem) -> Classifier:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    known = read_table(settings.data_dir / "train.csv", problem, indices=True)
    return problem.candidates()[-1].fit(known.X, known.y)


@pytest.fixture
def api(settings: Settings, start_api: StartApi) -> Iterator[httpx.Client]:
    with start_api(settings) as client:
        yield client


def test_it_serves_as_the_newest_version_or_once_promoted_with_the_class_names_of_the_data(
    settings: Settings, api: httpx.Client, model: Classifier, problem: Problem, rows: Table
) -> None:
    names = ["class a", "class b", "class c"]
    (settings.data_dir / "classes.json").write_text(json.dumps(names))
    expected = [names[index] for index in model.predict(rows.X)]
    first = lab_main.register(settings.mlflow_uri, model)
    wait_for("the newest version", lambda: served_version(api) == first)
    assert ask(api, problem, rows) == expected
    api.post(f"/models/{first}/promote").raise_for_status()
    second = lab_main.register(settings.mlflow_uri, model)
    api.post(f"/models/{second}/promote").raise_for_status()
    wait_for("the promoted version", lambda: served_version(api) == second)
    assert ask(api, problem, rows) == expected
