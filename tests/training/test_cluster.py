"""`--dask ADDRESS`: a real scheduler, workers in processes of their own; the same results, and errors in one line."""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from sklearn.linear_model import LogisticRegression

import main
from common.problem import Candidate, Classifier, Floats, Ints, Problem, Table, get_problem
from common.settings import PROJECT, Settings
from problems import travel_insurance
from scripts.demo_copy import copy_project
from scripts.parts import free_port
from tests import servers
from tests.programs import error_line, run_python
from tests.training.conftest import bundle_of
from tests.training.test_main import start
from tests.training.test_search import registered, with_data
from training import cluster, executors, search
from training.cluster import fit_on, reach
from training.fitting import FitAll, WorkersError, one_after_the_other
from training.search import Trained

SOON = 20.0  # seconds, also on a busy machine


@pytest.fixture
def everywhere(dask_address: str, request: pytest.FixtureRequest) -> tuple[FitAll, ...]:
    """The functions that fit candidates here, in two processes after the first candidate, and on a cluster."""
    request.getfixturevalue("at_once")
    return one_after_the_other, executors.fit_on_all_cores, fit_on(dask_address)


def outcome(settings: Settings, trained: Trained) -> tuple[object, ...]:
    """Return everything that a training has found and registered, to the last bit."""
    results = [(dict(each.candidate.params), dict(each.metrics)) for each in trained.results]
    curves = [dict(search.learning_curves(each.model)) for each in trained.results]
    versions = [version for version in (trained.champion, trained.challenger) if version]
    own = {"sklearn_version", "run_id", "signature"}  # each search has its own
    tags = [{name: value for name, value in each.tags.items() if name not in own} for each in versions]
    return results, curves, tags, [bundle_of(settings, each) for each in versions]


def several(name: str) -> Problem:
    """Return a problem whose candidates are more than one."""
    problem = get_problem(name)
    found = problem.candidates()
    if len(found) == 1:
        found = [replace(found[0], params={**found[0].params, "again": again}) for again in range(3)]
    return replace(problem, candidates=lambda: found)


@pytest.mark.parametrize(
    "name",
    ["iris", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("breast_cancer", "travel_insurance"))],
)
def test_the_registered_versions_are_the_same_to_the_last_bit_everywhere(
    name: str, settings: Settings, everywhere: tuple[FitAll, ...]
) -> None:
    problem = several(name)
    rows = (
        travel_insurance.synthesize(20_000, np.random.default_rng(0))
        if name == "travel_insurance"
        else problem.load(None)
    )
    lab = with_data(settings, problem, rows)
    first, second, third = (outcome(lab, search.train(problem, lab, fit_all)) for fit_all in everywhere)
    assert second == first
    assert third == first


def test_fits_round_the_same_everywhere_although_blas_would_use_all_cores(
    everywhere: tuple[FitAll, ...],
) -> None:
    def fit(X: Floats, y: Ints) -> Classifier:
        model: Classifier = LogisticRegression(max_iter=1000).fit(X, y)
        return model

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 30))  # 14 MB: more than Dask sends without a warning by default
    rows = Table(X, (X[:, :5].sum(axis=1) + rng.normal(size=60_000) > 0).astype(np.int64))
    candidates = [Candidate({"n": number}, fit) for number in range(3)]
    found = [fitted for fit_all in everywhere for fitted in fit_all(candidates, rows, rows)]
    assert len({vars(fitted.model)["coef_"].tobytes() for fitted in found}) == 1
    assert [fitted.metrics for fitted in found] == [found[0].metrics] * 9


# The command


def done(client: Client) -> tuple[int, dict[str, int]]:
    """Return how many candidates the scheduler has seen done, and how many tasks each worker has."""
    fits: int = client.run_on_scheduler(
        lambda dask_scheduler: sum(
            prefix.state_counts["memory"] for name, prefix in dask_scheduler.task_prefixes.items() if name == "run"
        )
    )
    tasks: dict[str, int] = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return fits, tasks


@pytest.mark.thorough
def test_the_command_fits_on_the_workers_and_registers_the_same(settings: Settings, dask_address: str) -> None:
    file = settings.lab_home / "models" / "iris" / "model.onnx"
    here = start(settings)
    assert (here.returncode, here.stderr) == (0, "")
    expected = file.read_bytes()
    file.unlink()
    with reach(dask_address) as client:
        before, tasks_before = done(client)
        there = start(settings, "--dask", dask_address)
        assert (there.returncode, there.stderr) == (0, "")
        after, tasks = done(client)
    assert after - before == 15
    assert len(tasks) == 2
    assert all(tasks[worker] > tasks_before[worker] for worker in tasks)
    assert file.read_bytes() == expected
    assert there.stdout.replace("version 2", "version 1") == here.stdout


def test_without_the_option_distributed_is_not_imported() -> None:
    # LightGBM imports what it finds of Dask itself.
    code = "import main, training.search, sys; print({'distributed'} & set(sys.modules))"
    assert run_python("-c", code).stdout == "set()\n"


def test_where_nobody_listens_the_command_says_so_in_one_line_and_soon(settings: Settings) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    began = time.monotonic()
    ended = start(settings, "--dask", address)
    assert time.monotonic() - began < SOON
    assert error_line(ended).startswith(f"main: no Dask scheduler at '{address}' (")
    assert registered(settings.mlflow_uri) == []


def test_without_dask_the_command_names_the_package_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not there
    monkeypatch.setenv("LAB_HOME", str(settings.lab_home))
    monkeypatch.setenv("MLFLOW_URI", settings.mlflow_uri)
    monkeypatch.setattr(sys, "argv", ["main.py", "--dask", "tcp://127.0.0.1:8786"])
    with pytest.raises(SystemExit, match=r"^main: Dask is not installed here: .*`pip install distributed`.*$"):
        main.main()


# Clusters that cannot be used


def refused(address: str) -> str:
    """Return why a cluster is refused."""
    with pytest.raises(WorkersError) as error, reach(address):
        pass
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(
    "address", ["nonsense", "http://127.0.0.1:5000", "tcp://127.0.0.1:none", "tls://127.0.0.1:8786", ""]
)
def test_an_invalid_address_of_a_scheduler_is_refused(address: str) -> None:
    assert refused(address).startswith(f"no Dask scheduler at '{address}' (")


def test_a_server_that_never_answers_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert "(no answer within 1 s)" in refused(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - began < SOON


def test_a_server_that_answers_something_else_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as thread:

        def answer() -> None:
            with other.accept()[0] as connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answered = thread.submit(answer)
        assert refused(f"tcp://127.0.0.1:{other.getsockname()[1]}").startswith("no Dask scheduler at ")
        answered.result()


def test_a_scheduler_without_workers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WORKER_SECONDS", 0.5)
    with servers.dask_scheduler(tmp_path) as (address, _):
        assert refused(address).endswith(f"`python -m dask worker {address}`")


def test_workers_that_cannot_import_the_project_are_refused(tmp_path: Path) -> None:
    # The command of that name looks for modules where it is installed, and not in the folder that it is started in.
    start = f"cd {PROJECT} && exec {Path(sys.executable).parent / 'dask'}"
    with servers.dask_scheduler(tmp_path) as (address, _), servers.dask_worker(address, tmp_path / "worker", start):
        message = refused(address)
    assert "cannot import the project" in message
    assert "No module named" in message
    assert "`python -m dask worker`" in message


def test_workers_with_other_code_of_the_project_are_refused(tmp_path: Path) -> None:
    copy_project(tmp_path / "other")
    with (tmp_path / "other" / "problems" / "iris.py").open("a") as file:
        file.write("EPOCHS = (1,)\n")
    start = f"cd {tmp_path / 'other'} && exec {sys.executable} -m dask"
    with servers.dask_scheduler(tmp_path) as (address, _), servers.dask_worker(address, tmp_path / "worker", start):
        assert "has loaded other code of the project" in refused(address)


@pytest.mark.parametrize(("package", "folder"), [("scikit-learn", "scikit_learn"), ("numpy", "numpy")])
def test_workers_with_other_versions_are_refused(tmp_path: Path, package: str, folder: str) -> None:
    # A file beside a package names its version; Python finds this one first.
    metadata = tmp_path / "site" / f"{folder}-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
    other = {"PYTHONPATH": str(tmp_path / "site")}
    with (
        servers.dask_scheduler(tmp_path) as (address, _),
        servers.dask_worker(address, tmp_path / "worker", **other),
    ):
        assert f" has {package} 0.1, and this process has " in refused(address)
