"""Fixtures: real servers, started once for all tests, and for each test a lab of its own."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import httpx
import mlflow
import pytest
import uvicorn
from fastapi import FastAPI

from api.api import create_app
from api.disk_copy import DiskCopy
from api.fastpath.uvicorn_protocol import FastPathProtocol
from common.bundle.export import export_onnx
from common.bundle.outliers import fit_outlier_scorer
from common.files import write_atomic
from common.problem import Problem, get_problem
from common.registry.client import Version
from common.registry.publish import use_mlflow
from common.settings import Settings
from common.split import split
from common.store import Store
from common.table import read_table, table_bytes
from preprocess import preprocess
from scripts.parts import free_port, wait_for
from tests import servers
from tests.postgres import Postgres, postgres_server
from tests.receiver import Receiver
from tests.registry_copy import RegistryCopy, copy_of
from training.search import train

# Files that take minutes are begun first, or one process would be left with them while the others have nothing to do.
LONG = (
    "test_kube.py",
    "test_loop.py",
    "test_right_solutions.py",
    "test_learning_faults.py",
    "test_service_faults.py",
    "test_training_faults.py",
    "test_your_problem.py",
    "test_the_loop_alone.py",
    "test_demo.py",
    "test_watched.py",
    "test_rebuild_killed.py",
    "test_withdraw_loop.py",
    "test_review_loop.py",
    "test_judging_loop.py",
    "test_breaking.py",
    "test_any_problem.py",
    "test_log.py",
    "test_serving.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_configure() -> None:
    # The tests expect every row in the log, also where the disk of the machine is nearly full.
    os.environ["DISK_LIMIT_PERCENT"] = "100"
    # Shells start what runs in the background with Ctrl-C ignored, which the programs under test would inherit.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def certificates_are_read_once() -> Iterator[None]:
    """Let all clients share one TLS context: httpx reads all certificates for each, which takes 24 ms of a core."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


IRIS = get_problem("iris")


@pytest.fixture(scope="session")
def problem() -> Problem:
    return IRIS


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's folder of the MLflow server that all tests share."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def mlflow_uri(mlflow_folder: Path) -> Iterator[str]:
    with servers.mlflow_server(mlflow_folder) as uri:
        yield uri


@pytest.fixture(scope="session")
def prefect_api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory, problem: Problem) -> Path:
    """The folder of iris' data as `get_data` and `dvc repro` make them."""
    folder = tmp_path_factory.mktemp("prepared") / "iris"
    write_atomic(folder / "data.csv", table_bytes(problem.load(None), problem.target.classes))
    preprocess(problem, folder)
    return folder


def offline_settings(home: Path, prepared_data: Path) -> Settings:
    shutil.copytree(prepared_data, home / "data" / "iris")
    return Settings(
        lab_home=home,
        database_url=f"sqlite:///{home}/data/lab.db",
        mlflow_uri=f"http://127.0.0.1:{free_port()}",
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        suggest_rate="100000/minute",
        vetting="off",  # corrections of most tests are arbitrary rows
        export_seconds=604_800,  # no test starts an export because the hour is full
    )


@pytest.fixture
def offline(tmp_path: Path, prepared_data: Path) -> Settings:
    """The settings of a lab of the test's own, with prepared data; nobody listens at its servers' addresses."""
    return offline_settings(tmp_path, prepared_data)


def empty_registry(uri: str) -> None:
    client = mlflow.MlflowClient(uri)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)


@pytest.fixture
def settings(offline: Settings, mlflow_uri: str) -> Settings:
    """The settings of a lab with a running MLflow, whose registry is empty."""
    empty_registry(mlflow_uri)
    return offline.model_copy(update={"mlflow_uri": mlflow_uri})


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, mlflow_uri: str) -> RegistryCopy:
    """All that a training leaves whose grid is the winner alone."""
    empty_registry(mlflow_uri)
    offline = offline_settings(tmp_path_factory.mktemp("first-training"), prepared_data)
    settings = offline.model_copy(update={"mlflow_uri": mlflow_uri})
    winner = [c for c in IRIS.candidates() if c.params == {"hidden_layers": 4, "epochs": 500}]
    train(replace(IRIS, candidates=lambda: winner), settings)
    return copy_of(settings)


@pytest.fixture
def trained(first_training: RegistryCopy, settings: Settings, problem: Problem) -> Version:
    """Version 1 of `IrisModel`, the winner of the grid."""
    use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    return first_training.restore(settings)


def served_version(client: httpx.Client) -> int | None:
    """Return the number of the version that answers; None while there is none."""
    response = client.get("/predict/test")
    return response.json()["model_version"] if response.is_success else None


SERVING = "an application under test"


@pytest.fixture(scope="module", autouse=True)
def applications_end_with_the_file_that_started_them() -> Iterator[None]:
    """Check it: the log of an application that lives longer would appear among the records of other tests."""
    yield
    assert SERVING not in {thread.name for thread in threading.enumerate()}


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve an application in this process, on a real socket; yield a client of it."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", http=FastPathProtocol)
    )
    thread = threading.Thread(target=server.run, name=SERVING)
    thread.start()
    try:
        wait_for("the application", lambda: server.started)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive(), "the application does not stop"


def running_api(settings: Settings) -> AbstractContextManager[httpx.Client]:
    """Serve the api with some settings: `with running_api(settings) as client`."""
    return served(create_app(settings))


StartApi = Callable[[Settings], AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="session")
def start_api() -> StartApi:
    return running_api


@pytest.fixture
def api(settings: Settings, trained: Version) -> Iterator[httpx.Client]:
    """A client of an api that serves the trained version."""
    with running_api(settings) as client:
        wait_for("the version", lambda: served_version(client) == trained.number)
        yield client


@pytest.fixture(scope="session")
def bundle(prepared_data: Path, problem: Problem) -> bytes:
    """The ONNX file of a fitted model, which is in no registry."""
    rows = read_table(prepared_data / "train.csv", problem, indices=True)
    model = problem.candidates()[-1].fit(rows.X, rows.y)
    return bytes(export_onnx(model, problem, rows, fit_outlier_scorer(*split(rows))).SerializeToString())


KEPT = 7


def keep_copy(settings: Settings, content: bytes) -> None:
    """Leave version 7 on disk, as an api does that has served it."""
    name = get_problem(settings.problem).onnx_name
    kept = DiskCopy(settings.state_dir / "served" / name / "champion")
    kept.write(Version(name, KEPT, "models:/m-kept", {}), content)


@pytest.fixture
def with_copy(offline: Settings, bundle: bytes) -> Settings:
    """The settings of a lab without servers, whose api can serve the copy on its disk."""
    keep_copy(offline, bundle)
    return offline


@pytest.fixture(scope="module")
def lone_api(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, bundle: bytes) -> Iterator[httpx.Client]:
    """A client of an api without servers, for the tests of a file that only ask what it answers."""
    settings = offline_settings(tmp_path_factory.mktemp("lone"), prepared_data)
    keep_copy(settings, bundle)
    with running_api(settings) as client:
        yield client


def register_onnx(settings: Settings, content: bytes) -> int:
    """Register bytes as the next version of the ONNX model, unseen and without an alias; return its number."""
    client, name = mlflow.MlflowClient(settings.mlflow_uri), get_problem(settings.problem).onnx_name
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    run = client.create_run("0")
    file = settings.lab_home / "by_hand" / "model.onnx"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    client.log_artifact(run.info.run_id, str(file), "onnx")
    source = f"{run.info.artifact_uri}/onnx"
    return int(client.create_model_version(name, source, run.info.run_id).version)


def set_alias(settings: Settings, alias: str, number: int) -> None:
    name = get_problem(settings.problem).onnx_name
    mlflow.MlflowClient(settings.mlflow_uri).set_registered_model_alias(name, alias, str(number))


RegisterByHand = Callable[[bytes], int]


@pytest.fixture
def register_by_hand(settings: Settings) -> RegisterByHand:
    return partial(register_onnx, settings)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, first in SQLite, then in PostgreSQL."""
    return f"sqlite:///{tmp_path}/data/lab.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def on_either(with_copy: Settings, either_url: str) -> Settings:
    """The settings of a lab as `with_copy`, its store first in SQLite, then in PostgreSQL."""
    return with_copy.model_copy(update={"database_url": either_url})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with servers.in_background(Receiver()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/lab.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: a test that asks for it runs on both."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store, once on SQLite and once on PostgreSQL."""
    yield from opened(url)


def opened(url: str) -> Iterator[Store]:
    found = Store(url)
    yield found
    found.close()
