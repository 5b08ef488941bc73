"""The smallest solution, put into the starting project, runs and stays small."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import pytest

from common.settings import PROJECT
from lesson.start import start
from scripts.parts import answers, free_port, process, wait_for
from tests.programs import output_of

SOLUTION = PROJECT / "lesson" / "solution"
LINES = 400
FLOWER = {"sepal_length": 6.1, "sepal_width": 2.8, "petal_length": 4.7, "petal_width": 1.2}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> dict[str, str]:
    client = mlflow.MlflowClient(mlflow_uri)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    home = tmp_path_factory.mktemp("home")
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": "",
        "MLFLOW_URL": mlflow_uri,
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DVC_NO_ANALYTICS": "1",
    }


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The folder of a project in which tasks 1 and 2 are done, as tasks.md says."""
    folder = start(tmp_path_factory.mktemp("lesson") / "my-lab")
    shutil.copytree(SOLUTION, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    for command in ("git init -q", "dvc init -q", "python get_data.py", "dvc add -q data/data.csv", "dvc repro"):
        output_of(command.split(), environment, folder)
    output_of(["python", "main.py"], environment, folder)
    return folder


@pytest.fixture(scope="module")
def service(solved: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    port = free_port()
    command = ["uvicorn", "api.api:app", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, solved / "api.log", environment, solved):
        url = f"http://127.0.0.1:{port}"
        wait_for("the service", lambda: answers(f"{url}/docs"))
        with httpx.Client(base_url=url) as client:
            yield client


def test_the_solution_can_be_read_in_an_hour() -> None:
    files = [
        path for path in SOLUTION.rglob("*") if path.is_file() and not {"__pycache__", ".mypy_cache"} & {*path.parts}
    ]
    assert len(files) > 5
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= LINES


def test_tasks_1_and_2_leave_a_split_and_the_winner_in_the_registry(solved: Path, mlflow_uri: str) -> None:
    counts = [
        len((solved / "data" / name).read_text(encoding="utf-8").splitlines()) for name in ("train.csv", "test.csv")
    ]
    assert counts == [120, 31]
    assert json.loads((solved / "data" / "classes.json").read_bytes()) == ["setosa", "versicolor", "virginica"]
    client = mlflow.MlflowClient(mlflow_uri)
    [version] = client.search_model_versions("name = 'IrisModel'")
    winner = client.get_run(str(version.run_id))
    runs = client.search_runs([winner.info.experiment_id])
    losses = {run.info.run_id: run.data.metrics["val_log_loss"] for run in runs}
    assert len(losses) >= 4
    assert losses[version.run_id] == min(losses.values())
    assert winner.data.metrics["test_accuracy"] >= 0.9


def test_tasks_3_and_4_answer_with_the_newest_version_and_count_answers_only(service: httpx.Client) -> None:
    wait_for("the version", lambda: service.post("/predict", json=FLOWER).is_success)
    before = counted(service)
    assert service.post("/predict", json=FLOWER).json() == {"class_name": "versicolor"}
    assert service.post("/predict", json={**FLOWER, "petal_width": "wide"}).status_code == 422
    assert counted(service) == before + 1


def counted(service: httpx.Client) -> float:
    lines = service.get("/metrics").raise_for_status().text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("predictions_total{"))
