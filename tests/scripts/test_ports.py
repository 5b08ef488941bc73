"""A busy port is told in one line: which, who needs it, what moves it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.settings import PROJECT, Settings
from scripts.parts import free_port
from scripts.ports import Listener, PortInUseError, listeners
from tests.programs import Ended, error_line, run_python


@contextmanager
def listening(address: str) -> Iterator[int]:
    with socket.create_server((address, 0)) as server:
        yield server.getsockname()[1]


def check(*names: str, **variables: str) -> Ended:
    ports = {name: str(free_port()) for name in ("MLFLOW_PORT", "PREFECT_PORT", "API_PORT")}
    return run_python("-m", "scripts.ports", *names, environment={**os.environ, **ports, **variables})


@pytest.mark.parametrize("address", ["127.0.0.1", ""], ids=["this address", "all addresses"])
def test_a_port_that_somebody_listens_on_is_not_free(address: str) -> None:
    with listening(address) as port, pytest.raises(PortInUseError) as refused:
        Listener("MLflow", port, "MLFLOW_PORT").check_free()
    assert refused.value.strerror == (
        f"port {port} is in use, and MLflow needs it: free it, or set MLFLOW_PORT to another"
    )


def test_a_port_that_is_bound_without_listening_is_not_free() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(PortInUseError):
            Listener("MLflow", holder.getsockname()[1], "MLFLOW_PORT").check_free()


def test_a_port_that_nobody_listens_on_is_free_also_after_a_connection_was_closed() -> None:
    with listening("127.0.0.1") as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"x")
    listener = Listener("MLflow", port, "MLFLOW_PORT")
    listener.check_free()
    listener.check_free()  # looking does not occupy it
    with socket.create_server(("127.0.0.1", port)) as again:
        assert again.getsockname()[1] == port


def test_every_program_of_the_procfile_that_listens_has_its_port_and_variable() -> None:
    settings = Settings(mlflow_port=5001, prefect_port=4201, api_port=8001, monitor_port=5014)
    found = {name: (one.port, one.variable) for name, one in listeners(settings).items()}
    expected = {
        "mlflow": (5001, "MLFLOW_PORT"),
        "prefect": (4201, "PREFECT_PORT"),
        "api": (8001, "API_PORT"),
        "monitor": (5014, "MONITOR_PORT"),
    }
    assert found.items() >= expected.items()
    processes = {line.partition(":")[0] for line in (PROJECT / "Procfile").read_text(encoding="utf-8").splitlines()}
    assert found.keys() <= processes


@pytest.mark.parametrize(
    ("name", "program", "variable"),
    [
        ("mlflow", "MLflow", "MLFLOW_PORT"),
        ("prefect", "Prefect", "PREFECT_PORT"),
        ("api", "the api", "API_PORT"),
        ("monitor", "the monitor", "MONITOR_PORT"),
    ],
)
def test_the_command_stops_at_a_busy_port_with_one_line(name: str, program: str, variable: str) -> None:
    with listening("127.0.0.1") as port:
        ended = check(name, **{variable: str(port)})
    expected = f"port {port} is in use, and {program} needs it: free it, or set {variable} to another"
    assert error_line(ended) == expected


def test_the_command_looks_only_at_the_program_that_is_named_and_prints_its_port() -> None:
    free = free_port()
    with listening("127.0.0.1") as port:
        ended = check("api", MLFLOW_PORT=str(port), API_PORT=str(free))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{free}\n", "")


def test_a_port_that_is_no_number_is_an_error_of_one_line() -> None:
    assert error_line(check("api", API_PORT="eight")).startswith("bad settings: API_PORT")
