"""The api of the university's lab answers with what `main.py` registers here."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import mlflow
import numpy as np
import onnxruntime

from common.bundle.model import OnnxModel
from common.problem import Problem, Table
from common.registry.client import Version
from common.settings import PROJECT, Settings
from scripts.parts import answers, free_port, process, wait_for
from tests.common.bundle.graphs import with_scorer_inside
from tests.conftest import StartApi, register_onnx, served_version, set_alias

SAME = ("class_name", "probabilities", "outlier_score", "is_outlier")


@contextmanager
def lab_api(settings: Settings) -> Iterator[httpx.Client]:
    """Run the lab's api as a process, configured by the lab's variables; yield a client of it."""
    port = free_port()
    variables = {"MLFLOW_URI": settings.mlflow_uri, "CLASS_PATH": str(settings.data_dir / "classes.json")}
    command = [sys.executable, "-m", "uvicorn", "tests.university.lab_api:app", "--port", str(port)]
    log = settings.state_dir / "logs" / "lab_api.log"
    with process(command, log, {**os.environ, **variables}, PROJECT):
        wait_for("the lab's api", lambda: answers(f"http://127.0.0.1:{port}/docs"))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client


def serves(api: httpx.Client, number: int) -> bool:
    return served_version(api) == number


def ask(api: httpx.Client, problem: Problem, rows: Table) -> list[str]:
    """Return the class names that an api answers to rows, one at a time."""
    bodies = [dict(zip(problem.columns, row, strict=True)) for row in rows.X.tolist()]
    return [api.post("/predict", json=body).raise_for_status().json()["class_name"] for body in bodies]


def test_the_labs_api_gives_the_answers_of_this_api_with_the_version_that_training_registered(
    settings: Settings, trained: Version, start_api: StartApi, problem: Problem, rows: Table
) -> None:
    with lab_api(settings) as theirs, start_api(settings) as ours:
        wait_for("the version", lambda: served_version(ours) == trained.number)
        found = ask(theirs, problem, rows)
        assert found == ask(ours, problem, rows)
    assert set(found) == set(problem.target.classes)


def test_the_newest_version_has_two_outputs_for_others_and_outlier_scores_for_the_lab(
    settings: Settings, trained: Version, rows: Table
) -> None:
    mlflow.set_tracking_uri(settings.mlflow_uri)
    content = mlflow.onnx.load_model(f"models:/{trained.name}/latest").SerializeToString()
    X = rows.X.astype(np.float32)
    label, probabilities = onnxruntime.InferenceSession(content).run(None, {"input": X})
    answer = OnnxModel(content).predict(X)
    np.testing.assert_array_equal(label, answer.labels)
    np.testing.assert_array_equal(probabilities, answer.probabilities)
    assert answer.outlier_scores is not None


def test_a_version_from_before_with_the_scorer_in_its_graph_still_serves(
    settings: Settings, bundle: bytes, start_api: StartApi
) -> None:
    before = with_scorer_inside(bundle).SerializeToString()
    row = {"data": [[1.0, 2.0, 3.0, 4.0], [5.1, 3.5, 1.4, 0.2]]}
    found = []
    with start_api(settings) as api:
        for content in (before, bundle):
            number = register_onnx(settings, content)
            set_alias(settings, "champion", number)
            wait_for("the version", partial(serves, api, number))
            found.append(api.post("/predict", json=row).raise_for_status().json())
    told = [[{k: v for k, v in each.items() if k in SAME} for each in answer["predictions"]] for answer in found]
    assert told[0] == told[1]
    assert [each["is_outlier"] for each in told[0]] == [True, False]
