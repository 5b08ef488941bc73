"""A stack in containers by docker compose, with ports, volumes and data of its own."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from common.settings import PROJECT
from scripts.parts import free_port, wait_for

# All characters with a special meaning in an address, a shell or a file of variables.
PASSWORD = "p@ss: /w%40rd?#'\"&=+"  # noqa: S105  # for a stack that ends with the tests
KEY = "the key of the api"
NAME = "lab.example.org"
PORTS = (
    "API_PUBLISHED_PORT", "MLFLOW_PORT", "PREFECT_PORT", "MONITOR_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT",
    "TLS_PORT", "TLS_MONITOR_PORT", "TLS_HTTP_PORT", "GRAFANA_PORT",
)  # fmt: skip
ROLES = ("superuser", "owner", "api", "worker", "monitor", "mlflow", "prefect")
USERS = ("admin", "api", "monitor", "training")
OWN = ("mlflow", "finetune", "api", "monitor")


@dataclass(frozen=True)
class Stack:
    """The running stack."""

    environment: Mapping[str, str]
    data: Path

    def compose(self, *arguments: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run docker compose; a failure is an error with its output, unless `may_fail`."""
        return run([*shlex.split(os.environ["LAB_COMPOSE"]), *arguments], self.environment, may_fail=may_fail)

    def inside(self, service: str, *command: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command in the container of a service."""
        return self.compose("exec", "-T", service, *command, may_fail=may_fail)

    def with_secrets(self, service: str, *command: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command in the container of a service, with the service's secrets in its environment."""
        return self.inside(service, "sh", "/app/with_secrets.sh", *command, may_fail=may_fail)

    def ask_database(self, question: str, database: str = "lab") -> list[str]:
        """Return the first column of an answer, as the superuser inside the container gets it."""
        options = ("--username=lab", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        return self.inside("postgres", "psql", *options, "-c", question, database).stdout.splitlines()

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """Return docker compose's descriptions of the containers."""
        listed = self.compose("ps", "--all", "--format", "json", *services).stdout
        return [json.loads(line) for line in listed.splitlines()]

    def address(self, variable: str) -> str:
        """Return the address of a service, by the variable of its port."""
        return f"http://127.0.0.1:{self.environment[variable]}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Yield a client of the api that goes through the proxy and sends the key."""
        address = self.address("API_PUBLISHED_PORT")
        with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=20.0) as client:
            yield client

    def start(self, *options: str) -> None:
        """Start all services, or the services in the options, and return when they are healthy."""
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "240", *options)

    def once(self, service: str, *arguments: str) -> str:
        """Run a service that ends by itself; return its output, or fail if its exit code is not 0."""
        # The service runs detached, because podman's service takes a whole core while a client waits for a container.
        name = self.compose("run", "--no-deps", "--no-TTY", "--detach", service, *arguments).stdout.strip()
        said = ended_well(name)
        engine("rm", name)
        return said

    def scale(self, service: str, replicas: int) -> None:
        """Start or stop replicas of a service until `replicas` run."""
        # podman reports too little about running containers: without --no-recreate docker compose would replace them.
        self.start("--no-recreate", "--scale", f"{service}={replicas}", service)

    def restart(self, *services: str) -> None:
        """Restart services, and return when they are healthy."""
        self.compose("restart", "--timeout", "10", *services)
        self.wait_until_healthy(*services)

    def wait_until_healthy(self, *services: str) -> None:
        """Return when these services, or all, are healthy."""
        wait_for(
            f"the health of {services}",
            lambda: all(each["Health"] == "healthy" for each in self.containers(*services)),
            within=120,
            every=0.5,
        )


def image(service: str) -> str:
    """Return the name of the image of one of the lab's services."""
    return f"closed-loop-lab/{service}"


def engine(*arguments: str) -> str:
    """Run a command of docker, or of podman in its place; return its output."""
    return run([os.environ["LAB_ENGINE"], *arguments], os.environ).stdout


def ended_well(container: str) -> str:
    """Wait until a container has ended; return its output, or fail if its exit code is not 0."""

    def state() -> list[str]:
        return engine("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container).split()

    # Podman calls a container stopped that has ended and that it has not cleaned up after.
    wait_for(f"the end of {container}", lambda: state()[0] in {"exited", "stopped"}, within=240, every=0.5)
    said = engine("logs", container)
    assert state()[1] == "0", said
    return said


def run(
    command: list[str], environment: Mapping[str, str], *, may_fail: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder."""
    ended = subprocess.run(
        command, cwd=PROJECT, env=dict(environment), capture_output=True, text=True, check=False, timeout=600
    )
    if ended.returncode and not may_fail:
        raise AssertionError(f"{shlex.join(command)} ended with code {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended


def make_secrets(folder: Path, **given: str) -> None:
    """Make a folder of secrets, of which some are given, by the script for people."""
    folder.mkdir()
    for name, secret in given.items():
        (folder / name).write_text(secret)
        (folder / name).chmod(0o444)
    run(["sh", "containers/make_secrets.sh"], {**os.environ, "LAB_SECRETS": str(folder), "TLS_NAMES": NAME})


def new_environment(data: Path, secrets: Path) -> dict[str, str]:
    """Return the environment variables of a stack that shares nothing with another stack."""
    owner = data.stat()
    return {
        **os.environ,
        "COMPOSE_PROJECT_NAME": "closed-loop-lab-check",
        "LAB_SECRETS": str(secrets),
        "ALLOWED_HOSTS": NAME,
        "LAB_DATA": str(data),
        "LAB_UID": str(owner.st_uid),
        "LAB_GID": str(owner.st_gid),
        "FRONT_SUBNET": "10.213.98.0/24",
        "BACK_SUBNET": "10.213.95.0/24",
        "EVALUATE_SECONDS": "2",
        **{variable: str(free_port()) for variable in PORTS},
    }


@contextmanager
def running_stack(data: Path) -> Iterator[Stack]:
    """Start the stack with its data in a folder; yield it when all services are healthy, and stop it at the end."""
    if os.getuid() == 0:
        os.chown(data, 1000, 1000)
    secrets = data.parent / f"{data.name}-secrets"
    hard = {f"postgres_{role}": PASSWORD for role in ROLES} | {f"mlflow_{user}": PASSWORD for user in USERS}
    make_secrets(secrets, api_key=KEY, signing_key="the key of the versions", prefect_password=PASSWORD, **hard)
    stack = Stack(new_environment(data, secrets), data)
    with removed_at_the_end(stack):
        stack.start()
        yield stack


@contextmanager
def removed_at_the_end(stack: Stack) -> Iterator[None]:
    """Stop a stack at the end, and remove its volumes.

    An error in the meantime gets the containers' last lines of output as a note.
    """
    try:
        yield
    except BaseException as error:
        error.add_note(stack.compose("logs", "--no-color", "--tail", "25", may_fail=True).stdout)
        raise
    finally:
        stack.compose("--profile", "*", "down", "--volumes", "--timeout", "3", may_fail=True)
