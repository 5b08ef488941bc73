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


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with the lines of the lesson's file, as `.env` would have them, in which nothing runs yet."""
    data = tmp_path_factory.mktemp("lesson")
    lines = (PROJECT / "containers" / "lesson.env").read_text(encoding="utf-8")
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", lines, re.MULTILINE))
    first, *others = os.environ.get("COMPOSE_FILE", "docker-compose.yaml").split(":")
    assert given.pop("COMPOSE_FILE") == f"docker-compose.yaml:{LESSON}"
    own = {"COMPOSE_PROJECT_NAME": "closed-loop-lab-lesson", "FRONT_SUBNET": "10.213.99.0/24"}
    files = {"COMPOSE_FILE": ":".join([first, LESSON, *others]), "BACK_SUBNET": "10.213.94.0/24"}
    stack = Stack({**new_environment(data, data), **own, **given, **files}, data)
    yield stack
    stack.compose("--profile", "*", "down", "--volumes", "--timeout", "3", may_fail=True)


def running(stack: Stack) -> set[str]:
    return {each["Service"] for each in stack.containers() if each["State"] == "running"}


def test_prometheus_starts_alone(lesson: Stack) -> None:
    lesson.start("prometheus")
    assert running(lesson) == {"prometheus"}
    assert httpx.get(f"{lesson.address('PROMETHEUS_PORT')}/-/ready").is_success


def test_the_database_does_not_start_with_an_empty_secret_and_says_which(lesson: Stack, tmp_path: Path) -> None:
    for each in (PROJECT / "containers" / "lesson_secrets").iterdir():
        (tmp_path / each.name).write_text("" if each.name == "postgres_superuser" else "lesson")
    without = replace(lesson, environment={**lesson.environment, "LAB_SECRETS": str(tmp_path)})
    without.compose("up", "--detach", "--no-build", "postgres")
    wait_for("the reason", lambda: "superuser" in said(without, "postgres"), every=0.5)
    # The container restarts again and again. Podman may fail to end it in the moment between two starts.
    away = ("rm", "--stop", "--force", "--volumes", "postgres")
    wait_for("the end", lambda: without.compose(*away, may_fail=True).returncode == 0, every=0.5)


def said(stack: Stack, service: str) -> str:
    ended = stack.compose("logs", "--no-color", service)
    return ended.stdout + ended.stderr


def test_in_a_lesson_mlflow_and_then_the_api_start_and_the_api_has_the_port_of_the_lesson(lesson: Stack) -> None:
    lesson.start("--no-recreate", "mlflow")
    assert running(lesson) == {"prometheus", "postgres", "mlflow"}
    found = httpx.get(f"{lesson.address('MLFLOW_PORT')}/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"})
    assert found.is_success, "in the lesson, MLflow has no log-in"
    lesson.start("--no-recreate", "api")
    assert running(lesson) == {"prometheus", "postgres", "mlflow", "api"}
    assert httpx.get(f"{lesson.address('API_PUBLISHED_PORT')}/livez").is_success


def test_in_a_lesson_the_api_finds_mlflow_and_the_class_names_where_the_lesson_says(lesson: Stack) -> None:
    shown = lesson.inside("api", "sh", "-c", 'echo "$MLFLOW_URI $MLFLOW_URL $CLASS_PATH"').stdout.split()
    assert shown == ["http://mlflow:5000", "/lab/data/iris/classes.json"]
    assert lesson.inside("api", "ls", "-d", str(Path("/lab/data"))).returncode == 0
