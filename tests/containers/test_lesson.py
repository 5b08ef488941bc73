"""The commands of a lesson, one after the other: a service starts with those that it needs, and with nothing else."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from common.settings import PROJECT
from scripts.parts import wait_for
from tests.containers.stack import Stack, new_environment

LESSON = "containers/lesson.yaml"
MISSING = "POSTGRES_PASSWORD is missing a value: set it in .env"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without any password, in which nothing runs yet."""
    data = tmp_path_factory.mktemp("lesson")
    secret = re.compile("PASSWORD|API_KEY")
    environment = {name: value for name, value in new_environment(data).items() if not secret.search(name)}
    environment |= {"COMPOSE_PROJECT_NAME": "closed-loop-lab-lesson", "FRONT_SUBNET": "10.213.99.0/24"}
    stack = Stack(environment, data)
    yield stack
    stack.compose("--profile", "*", "down", "--volumes", "--timeout", "3", may_fail=True)


@pytest.fixture(scope="module")
def lesson(alone: Stack) -> Stack:
    """A stack of the same containers, with the lines of the lesson's file, as `.env` would have them."""
    lines = (PROJECT / "containers" / "lesson.env").read_text(encoding="utf-8")
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", lines, re.MULTILINE))
    first, *others = os.environ.get("COMPOSE_FILE", "docker-compose.yaml").split(":")
    assert given.pop("COMPOSE_FILE") == f"docker-compose.yaml:{LESSON}"
    files = ":".join([first, LESSON, *others])
    return replace(alone, environment={**alone.environment, **given, "COMPOSE_FILE": files})


def running(stack: Stack) -> set[str]:
    return {each["Service"] for each in stack.containers() if each["State"] == "running"}


def test_prometheus_starts_alone_and_without_a_password(alone: Stack) -> None:
    alone.start("prometheus")
    assert running(alone) == {"prometheus"}
    assert httpx.get(f"{alone.address('PROMETHEUS_PORT')}/-/ready").is_success


def test_the_database_does_not_start_without_a_password_and_says_where_to_set_it(alone: Stack) -> None:
    alone.compose("up", "--detach", "--no-build", "postgres")
    wait_for("the reason", lambda: MISSING in alone.compose("logs", "--no-color", "postgres").stdout, every=0.5)
    alone.compose("rm", "--stop", "--force", "postgres")


def test_in_a_lesson_mlflow_and_then_the_api_start_and_the_api_has_the_port_of_the_lesson(lesson: Stack) -> None:
    lesson.start("--no-recreate", "mlflow")
    assert running(lesson) == {"prometheus", "postgres", "mlflow"}
    assert httpx.get(f"{lesson.address('MLFLOW_PORT')}/health").is_success
    lesson.start("--no-recreate", "api")
    assert running(lesson) == {"prometheus", "postgres", "mlflow", "api"}
    assert httpx.get(f"{lesson.address('API_PUBLISHED_PORT')}/livez").is_success


def test_in_a_lesson_the_api_finds_mlflow_and_the_class_names_where_the_lesson_says(lesson: Stack) -> None:
    shown = lesson.inside("api", "sh", "-c", 'echo "$MLFLOW_URI $MLFLOW_URL $CLASS_PATH"').stdout.split()
    assert shown == ["http://mlflow:5000", "/lab/data/iris/classes.json"]
    assert lesson.inside("api", "ls", "-d", str(Path("/lab/data"))).returncode == 0
