"""A cluster that loses its workers or its scheduler during a search."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from distributed import Client

from common.problem import Classifier, Floats, Ints, Problem
from common.settings import Settings
from scripts.parts import stop, wait_for
from tests import servers
from tests.training.conftest import deadly, failing, of, processes_in, signing, unsendable, waiting, waiting_main
from tests.training.test_search import registered
from training import cluster as dask_cluster
from training import search
from training.cluster import fit_on
from training.fitting import WorkersError
from training.search import Trained

HERE = os.getpid()


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers, by their process ids, to be ended by a test."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: dict[str, subprocess.Popen[bytes]]


@contextmanager
def cluster_of(count: int, folder: Path, **environment: str) -> Iterator[Cluster]:
    with ExitStack() as stack:
        address, scheduler = stack.enter_context(servers.dask_scheduler(folder, **environment))
        workers = [stack.enter_context(servers.dask_worker(address, folder / f"worker-{n}")) for n in range(count)]
        yield Cluster(address, scheduler, {str(worker.pid): worker for worker in workers})


@contextmanager
def search_under_way(problem: Problem, settings: Settings, cluster: Cluster, folder: Path) -> Iterator[Future[Trained]]:
    """Yield a search of which each worker fits a candidate; the fits wait for the file `go`."""
    folder.mkdir()
    candidates = of(problem, *[waiting(number, folder) for number in range(5)])
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(search.train, candidates, settings, fit_on(cluster.address))
        wait_for("all workers fitting", lambda: processes_in(folder) == set(cluster.workers))
        try:
            yield running
        finally:
            (folder / "go").touch()


def kill(process: subprocess.Popen[bytes]) -> None:
    stop(process, signal.SIGKILL)


def test_one_worker_does_the_work_and_not_this_process(settings: Settings, problem: Problem, tmp_path: Path) -> None:
    with cluster_of(1, tmp_path) as cluster:
        candidates = of(problem, *[signing(number) for number in range(3)])
        trained = search.train(candidates, settings, fit_on(cluster.address))
    assert {str(vars(result.model)["fitted_by"]) for result in trained.results} == set(cluster.workers)


def test_when_a_worker_dies_another_does_its_work(settings: Settings, problem: Problem, tmp_path: Path) -> None:
    expected = search.train(of(problem, *[signing(number) for number in range(5)]), settings)
    with cluster_of(2, tmp_path) as cluster, search_under_way(problem, settings, cluster, tmp_path / "fits") as running:
        left, lost = cluster.workers
        kill(cluster.workers[lost])
        (tmp_path / "fits" / "go").touch()
        trained = running.result(timeout=60)
    assert {str(vars(result.model)["fitted_by"]) for result in trained.results} == {left}
    assert [result.metrics for result in trained.results] == [result.metrics for result in expected.results]
    assert trained.champion.number == expected.champion.number + 1


def test_when_all_workers_die_and_another_comes_it_does_the_work(
    settings: Settings, problem: Problem, tmp_path: Path
) -> None:
    with cluster_of(1, tmp_path) as cluster, search_under_way(problem, settings, cluster, tmp_path / "fits") as running:
        for worker in cluster.workers.values():
            kill(worker)
        (tmp_path / "fits" / "go").touch()
        with servers.dask_worker(cluster.address, tmp_path / "another") as another:
            trained = running.result(timeout=60)
    assert {vars(result.model)["fitted_by"] for result in trained.results} == {another.pid}


def lost(running: Future[Trained], settings: Settings) -> str:
    """Return the error of a search that ends without a registered version."""
    with pytest.raises(WorkersError) as error:
        running.result(timeout=60)
    assert registered(settings.mlflow_uri) == []
    assert not (settings.lab_home / "models").exists()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_when_no_worker_is_left_the_search_ends_and_registers_nothing(
    settings: Settings, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "WORKER_SECONDS", 1.0)
    monkeypatch.setattr(dask_cluster, "LOOK_SECONDS", 0.1)
    with cluster_of(2, tmp_path) as cluster, search_under_way(problem, settings, cluster, tmp_path / "fits") as running:
        for worker in cluster.workers.values():
            kill(worker)
        assert "(no worker is left)" in lost(running, settings)


def test_when_the_scheduler_is_gone_the_search_ends_and_registers_nothing(
    settings: Settings, problem: Problem, tmp_path: Path
) -> None:
    with cluster_of(1, tmp_path) as cluster, search_under_way(problem, settings, cluster, tmp_path / "fits") as running:
        kill(cluster.scheduler)
        assert lost(running, settings).startswith("the Dask cluster is lost (")


def test_a_candidate_that_kills_its_workers_ends_the_search(
    settings: Settings, problem: Problem, tmp_path: Path
) -> None:
    # Without tries again, which would each want another worker.
    patience = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    candidates = of(problem, signing(0), deadly(1, HERE), signing(2))
    with cluster_of(2, tmp_path, **patience) as cluster, ThreadPoolExecutor(1) as thread:
        running = thread.submit(search.train, candidates, settings, fit_on(cluster.address))
        assert "died of the same candidate" in lost(running, settings)


def test_a_candidate_that_cannot_be_sent_is_named(settings: Settings, problem: Problem, dask_address: str) -> None:
    with ThreadPoolExecutor(1) as thread:
        candidates = of(problem, signing(0), unsendable(7))
        message = lost(thread.submit(search.train, candidates, settings, fit_on(dask_address)), settings)
    assert message.startswith("candidate {'n': 7} cannot be sent to a worker (")


def test_the_error_of_a_fit_on_a_worker_is_raised_here(settings: Settings, problem: Problem, dask_address: str) -> None:
    candidates = of(problem, signing(0), failing(1), signing(2))
    with pytest.raises(LookupError, match=r"^not with 90 rows of 4$"):
        search.train(candidates, settings, fit_on(dask_address))
    assert registered(settings.mlflow_uri) == []


def test_a_model_that_cannot_be_sent_back_ends_the_search(
    settings: Settings, problem: Problem, dask_address: str
) -> None:
    def fit(X: Floats, y: Ints) -> Classifier:
        model = signing(0).fit(X, y)
        vars(model)["lock"] = threading.Lock()
        return model

    with pytest.raises(TypeError, match="cannot pickle"):
        search.train(of(problem, replace(signing(0), fit=fit), signing(1)), settings, fit_on(dask_address))


def waiting_tasks(client: Client) -> int:
    count: int = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    return count


def test_an_interrupted_search_leaves_the_cluster_nothing_to_do(
    settings: Settings, dask_address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "waiting"
    with waiting_main(settings, folder, "--dask", dask_address) as started:
        os.killpg(started.pid, signal.SIGINT)
        assert started.wait(timeout=30) == -signal.SIGINT
    (folder / "go").touch()
    with Client(dask_address, set_as_default=False) as client:
        wait_for("no task", lambda: waiting_tasks(client) == 0)
    assert registered(settings.mlflow_uri) == []
