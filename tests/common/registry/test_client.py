"""Reading the registry: the version that is to be served, and the errors when MLflow does not answer."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import httpx
import mlflow
import pytest
from mlflow.entities.model_registry import ModelVersion

import common.registry.client
from common.registry.client import Registry, RegistryError, RegistryUnavailableError, Version, check_mlflow
from common.settings import Settings

Found = TypeVar("Found")
NAME = "IrisModel"
LISTED = Version(NAME, 1, "models:/m", {})


def ask(uri: str, question: Callable[[Registry], Awaitable[Found]], file_seconds: float = 60.0) -> Found:
    async def answer() -> Found:
        async with Registry(uri, file_mb=1, file_seconds=file_seconds) as registry:
            return await question(registry)

    return asyncio.run(answer())


def serving(uri: str) -> Version | None:
    return ask(uri, lambda registry: registry.serving_version(NAME))


@pytest.fixture
def client(settings: Settings) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(settings.mlflow_uri)


@pytest.fixture
def add(client: mlflow.MlflowClient, tmp_path: Path) -> Callable[[], ModelVersion]:
    """Register one more version, by hand, without an alias."""

    def register() -> ModelVersion:
        if not client.search_registered_models(f"name = '{NAME}'"):
            client.create_registered_model(NAME)
        run = client.create_run("0")
        return client.create_model_version(
            NAME, f"{run.info.artifact_uri}/by-hand", run.info.run_id, tags={"made_in": tmp_path.name}
        )

    return register


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], httpx.Response], *, ends: bool = True) -> Iterator[str]:
    """Serve these answers, or their content again and again until the client goes away; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = answer(self)
            self.send_response(given.status_code)
            if ends:
                self.send_header("Content-Length", str(len(given.content)))
            self.end_headers()
            self.wfile.write(given.content)
            with suppress(OSError):
                while not ends and not over.is_set():
                    self.wfile.write(answer(self).content)

        def log_message(self, *_: object) -> None:
            pass

    over = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def always(status: int, body: bytes) -> AbstractContextManager[str]:
    """Serve one and the same answer to every question."""
    return answering(lambda _: httpx.Response(status, content=body))


def guarded(mlflow_uri: str, authorization: str) -> AbstractContextManager[str]:
    """Pass on to MLflow the requests with this header, and refuse all others, as its own log-in does."""

    def passed(request: BaseHTTPRequestHandler) -> httpx.Response:
        if request.headers["Authorization"] == authorization:
            return httpx.get(f"{mlflow_uri}{request.path}")
        return httpx.Response(401, content=b"You are not authenticated.")

    return answering(passed)


def dripping(part: bytes, pause: float) -> AbstractContextManager[str]:
    """Serve an answer without end, a part at a time."""

    def drip(_: BaseHTTPRequestHandler) -> httpx.Response:
        time.sleep(pause)
        return httpx.Response(200, content=part)

    return answering(drip, ends=False)


def test_without_a_version_there_is_nothing_to_serve(settings: Settings, client: mlflow.MlflowClient) -> None:
    assert serving(settings.mlflow_uri) is None
    client.create_registered_model(NAME)
    assert serving(settings.mlflow_uri) is None


def test_without_champion_the_latest_version_is_served(settings: Settings, add: Callable[[], ModelVersion]) -> None:
    # More than nine, so that 10 is not taken for smaller than 9.
    for _ in range(10):
        latest = add()
    found = serving(settings.mlflow_uri)
    assert found is not None
    assert found == Version(NAME, 10, str(latest.source), latest.tags)


def test_champion_is_served_wherever_it_points(
    settings: Settings, client: mlflow.MlflowClient, add: Callable[[], ModelVersion]
) -> None:
    def served_number() -> int | None:
        found = serving(settings.mlflow_uri)
        return found.number if found else None

    for version in (add(), add(), add(), client.get_model_version(NAME, "1")):
        client.set_registered_model_alias(NAME, "champion", version.version)
        assert served_number() == int(version.version)
    client.delete_registered_model_alias(NAME, "champion")
    assert served_number() == 3


def test_a_version_whose_file_is_missing_cannot_be_downloaded(
    settings: Settings, add: Callable[[], ModelVersion]
) -> None:
    add()
    version = serving(settings.mlflow_uri)
    assert version is not None
    with pytest.raises(RegistryError, match="answered"):
        ask(settings.mlflow_uri, lambda registry: registry.download(version))


def test_a_server_that_is_not_there_is_unavailable(offline: Settings) -> None:
    with pytest.raises(RegistryUnavailableError, match=offline.mlflow_uri):
        serving(offline.mlflow_uri)


@pytest.mark.parametrize(("status", "said"), [(500, "answered 500"), (200, ".")])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b'{"error_code": "INTERNAL_ERROR"}', b"[]", b'"text"'])
def test_an_error_of_the_server_and_an_answer_of_another_program_are_errors_of_the_registry(
    body: bytes, status: int, said: str
) -> None:
    with always(status, body) as uri, pytest.raises(RegistryError, match=said):
        serving(uri)


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "set MLFLOW_TRACKING_USERNAME and "), (403, "nothing is registered under this name yet, or ")],
)
def test_a_refusal_says_what_may_be_missing(status: int, said: str) -> None:
    with always(status, b"") as uri, pytest.raises(RegistryError, match=rf"answered {status} to .*/alias: {said}"):
        serving(uri)


def test_a_file_without_end_is_not_read_on() -> None:
    with dripping(bytes(2**16), 0) as uri, pytest.raises(RegistryError, match="is larger than 1 MB"):
        ask(uri, lambda registry: registry.download(LISTED))


def test_a_file_that_comes_by_the_byte_is_not_waited_for() -> None:
    with dripping(b"x", 0.05) as uri, pytest.raises(RegistryUnavailableError, match=r"did not answer .* within 0\.5 s"):
        ask(uri, lambda registry: registry.download(LISTED), file_seconds=0.5)


def test_an_answer_without_end_to_a_question_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.registry.client, "MAX_ANSWER", 2**20)
    with dripping(bytes(2**16), 0) as uri, pytest.raises(RegistryError, match="is larger than 1 MB"):
        serving(uri)


def test_a_running_mlflow_passes_the_check(mlflow_uri: str) -> None:
    check_mlflow(mlflow_uri)
    with pytest.raises(RegistryUnavailableError):
        check_mlflow(f"{mlflow_uri}/elsewhere")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b"Invalid Host header", "status 403"),
        (200, b"<html>a page</html>", "another program than MLflow answers"),
    ],
)
def test_the_check_refuses_another_answer_than_mlflows(status: int, body: bytes, reason: str) -> None:
    with always(status, body) as uri, pytest.raises(RegistryUnavailableError) as refused:
        check_mlflow(uri)
    assert str(refused.value) == f"no MLflow at {uri} ({reason}): start it with `make up`, or set MLFLOW_URI"


@pytest.mark.parametrize(
    ("variables", "authorization"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}, "Basic bWU6c2VjcmV0"),
        ({"MLFLOW_TRACKING_TOKEN": "abc"}, "Bearer abc"),
    ],
    ids=["password", "token"],
)
def test_mlflows_own_log_in_counts_for_all_that_asks_it(
    settings: Settings,
    add: Callable[[], ModelVersion],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    authorization: str,
) -> None:
    add()
    with guarded(settings.mlflow_uri, authorization) as uri:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        check_mlflow(uri)
        found = serving(uri)
        assert found is not None
        assert (found.name, found.number) == (NAME, 1)
        assert [model.name for model in mlflow.MlflowClient(uri).search_registered_models()] == [NAME]


def test_a_missing_log_in_is_an_error_that_names_the_variables_to_set(mlflow_uri: str) -> None:
    said = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    with guarded(mlflow_uri, "Bearer abc") as uri:
        with pytest.raises(RegistryUnavailableError) as unavailable:
            check_mlflow(uri)
        assert str(unavailable.value) == f"MLflow at {uri} needs a log-in: {said}"
        with pytest.raises(RegistryError, match=said):
            serving(uri)
