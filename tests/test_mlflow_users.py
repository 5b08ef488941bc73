"""`containers/mlflow/users.py`: MLflow's users and rights, also while other servers with the same database run."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from common.settings import PROJECT
from scripts.parts import free_port, process, wait_for
from tests.postgres import Postgres

FOLDER = PROJECT / "containers" / "mlflow"
USERS = ("admin", "api", "monitor", "training")
TABLES = ("users", "roles", "role_permissions", "user_role_assignments")
MODEL = {"name": "IrisModel"}


class Users:
    """The program with its secrets and a database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        (folder / "secrets").mkdir()
        for name in USERS:
            self.password(name, f"the password of {name}")
        for name, before, after in (
            ("users.py", "/run/secrets", str(folder / "secrets")),
            ("auth.ini", "postgresql+psycopg://mlflow@postgres:5432/mlflow", url),
        ):
            text = (FOLDER / name).read_text(encoding="utf-8")
            assert before in text
            (folder / name).write_text(text.replace(before, after))
        self.environment = {**os.environ, "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini")}
        # The lab's tests read warnings as errors; this is a program of its own.
        self.environment.pop("PYTHONWARNINGS", None)

    def password(self, name: str, value: str) -> None:
        (self.folder / "secrets" / f"mlflow_{name}").write_text(value)

    def begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "users.py"], cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def run(self) -> None:
        program = self.begin()
        _, said = program.communicate()
        assert program.returncode == 0, said

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that the database has about users and rights."""
        engine = sa.create_engine(self.url)
        with engine.connect() as connection:
            found = {
                table: [tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id"))]  # noqa: S608  # names of this file
                for table in TABLES
            }
        engine.dispose()
        return found

    def change(self, *statements: str, **ids: int) -> None:
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), ids)
        engine.dispose()

    def rights(self) -> set[tuple[str, str, str]]:
        """Return each user's rights: the user, the kind of object, and the permission on all of them."""
        engine = sa.create_engine(self.url)
        query = """SELECT u.username, p.resource_type, p.permission FROM users u
            JOIN user_role_assignments a ON a.user_id = u.id JOIN role_permissions p ON p.role_id = a.role_id
            WHERE p.resource_pattern = '*'"""
        with engine.connect() as connection:
            found = {(str(user), str(kind), str(right)) for user, kind, right in connection.execute(sa.text(query))}
        engine.dispose()
        return found


RIGHTS = {
    ("api", "registered_model", "MANAGE"),
    ("api", "registered_model_version", "EDIT"),
    ("training", "experiment", "EDIT"),
    ("training", "registered_model", "MANAGE"),
    ("training", "registered_model_version", "MANAGE"),
}


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Users]:
    """The program, after its first run on an empty database."""
    with postgres.database() as url:
        made = Users(tmp_path_factory.mktemp("users"), url)
        made.run()
        yield made


@contextmanager
def server(users: Users) -> Iterator[str]:
    """Run MLflow with log-ins on the database; yield the address of its interface."""
    port = free_port()
    options = f"--host 127.0.0.1 --port {port} --workers 1 --artifacts-destination {users.folder / 'artifacts'}"
    command = [sys.executable, "-m", "mlflow", "server", *options.split(), "--app-name", "basic-auth"]
    environment = {
        **users.environment,
        "MLFLOW_BACKEND_STORE_URI": users.url,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret of the forms",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with process(command, users.folder / "mlflow.log", environment):
        address = f"http://127.0.0.1:{port}"
        wait_for("MLflow", lambda: httpx.get(f"{address}/health").is_success, within=120)
        yield f"{address}/api/2.0/mlflow"


@contextmanager
def asked_all_the_time(api: httpx.Client) -> Iterator[list[int]]:
    """Ask for something that needs MANAGE, again and again; yield the statuses so far."""
    statuses: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            body = {**MODEL, "alias": "challenger"}
            statuses.append(api.request("DELETE", "/registered-models/alias", json=body).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join()


def log_in(users: Users, name: str) -> tuple[str, str]:
    return name, (users.folder / "secrets" / f"mlflow_{name}").read_text()


def test_a_second_start_beside_a_server_changes_nothing_and_takes_no_right_away(users: Users) -> None:
    assert users.rights() == RIGHTS
    with (
        server(users) as address,
        httpx.Client(base_url=address, auth=log_in(users, "api")) as api,
        httpx.Client(base_url=address, auth=log_in(users, "training")) as training,
    ):
        training.post("/registered-models/create", json=MODEL).raise_for_status()
        before = users.rows()
        with asked_all_the_time(api) as statuses:
            wait_for("an answer", lambda: len(statuses) > 1)
            users.run()
            asked = len(statuses)
            wait_for("answers afterwards", lambda: len(statuses) > asked + 1)
        assert set(statuses) == {200}
        assert users.rows() == before


def test_a_start_waits_for_another_one_that_is_under_way(users: Users) -> None:
    before = users.rows()
    engine = sa.create_engine(users.url)
    with engine.connect() as connection:
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        [lock] = re.findall(r"^LOCK = ([\d_]+)", (FOLDER / "users.py").read_text(encoding="utf-8"), re.MULTILINE)
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({lock})"))
        program = users.begin()
        wait_for("the program", lambda: connection.execute(waiting).scalar())
        assert program.poll() is None
        connection.rollback()
        _, said = program.communicate()
        assert program.returncode == 0, said
    engine.dispose()
    assert users.rows() == before


def test_a_start_mends_what_is_not_as_it_should_be(users: Users) -> None:
    before = users.rows()
    ids = {name: role for role, name, *_ in before["roles"]}
    users.change(
        "DELETE FROM role_permissions WHERE role_id = :training AND resource_type = 'experiment'",
        "DELETE FROM user_role_assignments WHERE role_id = :training",
        "UPDATE role_permissions SET permission = 'MANAGE' WHERE role_id = :api",
        "INSERT INTO role_permissions (role_id, resource_type, resource_pattern, permission) "
        "VALUES (:monitor, 'registered_model', '*', 'MANAGE'), (:api, 'experiment', '7', 'MANAGE')",
        "UPDATE users SET is_admin = true WHERE username = 'monitor'",
        **ids,
    )
    users.password("api", "another password of api")
    users.run()
    assert users.rights() == RIGHTS
    after = users.rows()
    assert after["roles"] == before["roles"]
    assert len(after["role_permissions"]) == len(before["role_permissions"])
    changed = [now[1] for now, then in zip(after["users"], before["users"], strict=True) if now != then]
    assert changed == ["api"]
