"""However several workers end: all their answers are in the store, and no process is left."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.settings import PROJECT, Settings
from scripts.parts import free_port, wait_for
from scripts.stack import log_path, process_environment
from tests.api.inference.test_prediction_log import SETOSA, SETOSA_ROW, ask, log_size, logged, store_of, write_lock
from tests.api.routes.test_bad_requests import check_problem
from tests.api.routes.test_suggest import GOOD, kept
from tests.api.workers.fleet import COUNT, Fleet, alive, fleet
from tests.conftest import KEPT, served_version


@contextmanager
def ending(started: Fleet, send: Callable[[int, int], None] = os.kill, number: int = signal.SIGTERM) -> Iterator[None]:
    """Send a signal to the supervisor, or to its group; check afterwards that no process of the service is left."""
    processes = started.processes()
    send(started.supervisor.pid, number)
    yield
    code = started.supervisor.wait(timeout=20)
    wait_for("the end of all", lambda: not alive(processes), within=20)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for the temporary files of a service."""
    # Not one of pytest's folders: their paths are too long for a unix socket.
    with tempfile.TemporaryDirectory(prefix="end-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def check_end(settings: Settings, temporary: Path, *signalled: Any) -> None:
    log = log_path(settings, "api")
    # No worker can write until all are about to end, so that rows are left then.
    with fleet(settings) as started, started.clients() as clients, ExitStack() as over, write_lock(settings):
        sent = [answer for _ in range(3) for client in clients for answer in ask(client, *[SETOSA_ROW] * 1500)]
        sent += [client.post("/predict", json=SETOSA).json() for client in clients]
        assert list(temporary.glob("api-workers-*"))
        over.enter_context(ending(started, *signalled))
        wait_for("a stop of each", lambda: log.read_text().count("Waiting for application shutdown") == COUNT)
    with store_of(settings) as store:
        assert sorted(row["id"] for row in logged(store)) == sorted(answer["prediction_id"] for answer in sent)
    assert not list(temporary.glob("api-workers-*"))


def test_the_end_leaves_all_rows_and_nothing_else(on_either: Settings, temporary: Path) -> None:
    check_end(on_either, temporary)


@pytest.mark.parametrize(
    "signalled",
    [(os.killpg, signal.SIGINT), (os.killpg, signal.SIGTERM), (os.kill, signal.SIGKILL)],
    ids=["Ctrl-C", "SIGTERM to each", "the supervisor killed"],
)
def test_any_other_end_leaves_as_much(with_copy: Settings, signalled: Any, temporary: Path) -> None:
    check_end(with_copy, temporary, *signalled)


def test_all_rows_are_written_although_a_client_never_ends_its_request(with_copy: Settings) -> None:
    with fleet(with_copy) as started, started.clients() as clients:
        sent = ask(clients[0], *[SETOSA_ROW] * 500)

        def slowly() -> Iterator[bytes]:
            yield b"{"
            begun.set()
            ended.wait(30)

        begun, ended = threading.Event(), threading.Event()
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(
                clients[0].post, "/predict", content=slowly(), headers={"Content-Type": "application/json"}
            )
            assert begun.wait(10)
            with ending(started):
                pass
            ended.set()
            assert request.exception() or request.result().status_code == 500
    with store_of(with_copy) as store:
        assert log_size(store) == len(sent)


def test_the_limit_on_corrections_is_one_for_all_workers(with_copy: Settings) -> None:
    with fleet(with_copy.model_copy(update={"suggest_rate": "3/hour"})) as started, started.clients() as clients:
        answers = [client.post("/suggest", json=GOOD) for _ in range(3) for client in clients]
        assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 3
        for refused in answers[3:]:
            check_problem(refused, 429)
            assert 3500 <= int(refused.headers["Retry-After"]) <= 3600
        assert kept(with_copy) == 3


def serve(settings: Settings, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the service until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "api.serve", *arguments], cwd=PROJECT, env=process_environment(settings) | environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("workers", [1, COUNT])
def test_a_service_that_cannot_start_ends_and_says_why(offline: Settings, workers: int) -> None:
    nowhere = {"database_url": f"sqlite:///{offline.lab_home}/data/iris", "api_port": free_port()}
    ended = serve(offline.model_copy(update={**nowhere, "api_workers": workers}))
    assert ended.returncode == 3
    assert "data/iris" in ended.stderr


@pytest.mark.parametrize("workers", [1, COUNT])
def test_a_port_in_use_is_reported(offline: Settings, workers: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve(offline.model_copy(update={"api_workers": workers}), "--port", f"{port}")
    assert ended.returncode in {1, 3}
    assert "address already in use" in ended.stderr.lower()


def test_a_setting_that_is_wrong_is_named_in_one_line(offline: Settings) -> None:
    ended = serve(offline, API_WORKERS="many")
    assert ended.returncode == 1
    assert ended.stderr.startswith("bad settings: API_WORKERS: ")
    assert ended.stderr.count("\n") == 1


@contextmanager
def newer_schema(url: str) -> Iterator[None]:
    """Let a store seem to be of a later version of the lab, which this one refuses to open."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    change = sa.text(
        "UPDATE alembic_version SET version_num = :number RETURNING (SELECT version_num FROM alembic_version)"
    )
    with engine.begin() as connection:
        before = connection.execute(change, {"number": "9999"}).scalar_one()
    yield
    with engine.begin() as connection:
        connection.execute(change, {"number": before})


def test_the_others_go_on_while_a_worker_cannot_start_again(with_copy: Settings, postgres_url: str) -> None:
    settings = with_copy.model_copy(update={"database_url": postgres_url})
    with fleet(settings) as started, started.clients() as (_, client):
        with newer_schema(postgres_url):
            started.workers()[0].kill()
            log = log_path(settings, "api")
            wait_for("its successor's end", lambda: "ended with code 3" in log.read_text())
            assert served_version(client) == KEPT
            sent = ask(client, SETOSA_ROW)
        wait_for("another", lambda: len(started.workers()) == COUNT)
        with started.clients() as both:
            assert [served_version(each) for each in both] == [KEPT] * COUNT
        with store_of(settings) as store:
            wait_for("the row", lambda: log_size(store) == len(sent))
