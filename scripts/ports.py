"""The ports of the stack's programs, and a check that they are free.

`python -m scripts.ports api` checks one port and prints it.
"""

import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from common.settings import PROJECT, Settings, SettingsError, load_settings

HOST = "127.0.0.1"


class PortInUseError(OSError):
    """Another program listens on a port that the stack needs; the message names port, program and variable."""

    def __str__(self) -> str:
        return self.strerror or ""


@dataclass(frozen=True)
class Listener:
    """A program of the stack with its port, and the variable that sets the port."""

    name: str
    port: int
    variable: str

    def check_free(self) -> None:
        """Raise `PortInUseError` if something listens on the port."""
        with socket.socket() as probe:
            probe.settimeout(1)
            # Binding alone does not notice a program that listens on all addresses on macOS.
            answered = probe.connect_ex((HOST, self.port)) == 0
        if answered or not _can_bind(self.port):
            raise PortInUseError(
                errno.EADDRINUSE,
                f"port {self.port} is in use, and {self.name} needs it: free it, or set {self.variable} to another",
            )


def listeners(settings: Settings) -> dict[str, Listener]:
    """Return the programs of the embedded stack that listen on a port, by their name in the Procfile."""
    return {
        "mlflow": Listener("MLflow", settings.mlflow_port, "MLFLOW_PORT"),
        "prefect": Listener("Prefect", settings.prefect_port, "PREFECT_PORT"),
        "api": Listener("the api", settings.api_port, "API_PORT"),
        "monitor": Listener("the monitor", settings.monitor_port, "MONITOR_PORT"),
    }


def listed_problems() -> list[str]:
    """Return the problems of params.yaml in their order; the ports of their apis have the same order.

    Raises:
        SettingsError: the file holds no such list, for example because it has conflict marks.
    """
    path = PROJECT / "params.yaml"
    try:
        problems = yaml.safe_load(path.read_text(encoding="utf-8"))["problems"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path} has no list `problems` that can be read: {reason}") from None
    if not isinstance(problems, list) or not all(isinstance(name, str) for name in problems):
        raise SettingsError(f"{path}: `problems` is no list of names")
    return problems


def check_free(settings: Settings, only: Sequence[str] = ()) -> None:
    """Raise `PortInUseError` if something listens on the port of a program: of any, or of those named in `only`."""
    for name, listener in listeners(settings).items():
        if not only or name in only:
            listener.check_free()


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def main() -> None:
    """Check the ports of the programs named on the command line, and print them."""
    try:
        known = listeners(load_settings())
        for name in sys.argv[1:]:
            known[name].check_free()
            print(known[name].port)
    except (SettingsError, PortInUseError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
