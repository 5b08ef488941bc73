"""Fixtures: real servers, started once for all tests, and for each test a lab of its own."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import httpx
import mlflow
import pytest
import uvicorn

from api.api import create_app
from common.problem import Problem, get_problem
from common.registry import Version
from common.settings import Settings
from common.table import write_table
from preprocess import preprocess
from tests import servers
from training.search import train


@pytest.fixture(scope="session")
def problem() -> Problem:
    return get_problem("iris")


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlflow_server(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


@pytest.fixture(scope="session")
def prefect_api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory, problem: Problem) -> Path:
    """The folder of iris' data as `get_data` and `dvc repro` make them."""
    folder = tmp_path_factory.mktemp("prepared") / "iris"
    write_table(folder / "data.csv", problem.load(None), problem.target.classes)
    preprocess(problem, folder)
    return folder


@pytest.fixture
def offline(tmp_path: Path, prepared_data: Path) -> Settings:
    """The settings of a lab of the test's own, with prepared data; nobody listens at its servers' addresses."""
    shutil.copytree(prepared_data, tmp_path / "data" / "iris")
    return Settings(
        lab_home=tmp_path,
        database_url=f"sqlite:///{tmp_path}/data/lab.db",
        mlflow_uri=f"http://127.0.0.1:{servers.free_port()}",
        prefect_api_url=f"http://127.0.0.1:{servers.free_port()}/api",
    )


@pytest.fixture
def settings(offline: Settings, mlflow_uri: str) -> Settings:
    """The settings of a lab with a running MLflow, whose registry is empty."""
    client = mlflow.MlflowClient(mlflow_uri)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    return offline.model_copy(update={"mlflow_uri": mlflow_uri})


@pytest.fixture
def trained(settings: Settings, problem: Problem) -> Version:
    """Version 1 of `IrisModel`, the winner of the grid."""
    winner = [c for c in problem.candidates() if c.params == {"hidden_layers": 4, "epochs": 500}]
    version, _ = train(replace(problem, candidates=lambda: winner), settings)
    return version


def served_version(client: httpx.Client) -> int | None:
    """Return the number of the version that answers; None while there is none."""
    response = client.get("/predict/test")
    return response.json()["model_version"] if response.is_success else None


class StartApi(Protocol):
    def __call__(self, settings: Settings) -> AbstractContextManager[httpx.Client]: ...


@pytest.fixture
def start_api() -> StartApi:
    """Serve the api in this process, on a real socket; `with start_api(settings) as client`."""

    @contextmanager
    def start(settings: Settings) -> Iterator[httpx.Client]:
        port = servers.free_port()
        server = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            servers.wait_for("the api", lambda: server.started)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive(), "the api does not stop"

    return start


@pytest.fixture
def api(settings: Settings, trained: Version, start_api: StartApi) -> Iterator[httpx.Client]:
    """A client of an api that serves the trained version."""
    with start_api(settings) as client:
        servers.wait_for("the version", lambda: served_version(client) == trained.number)
        yield client
