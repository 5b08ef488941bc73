"""Give MLflow the users of the lab, with the passwords of the secrets, before the server starts: `python users.py`.

A changed password or right counts from the next start on. What is as it should be stays untouched, because other
servers with the same database may run. The script uses MLflow's own store of users.
"""  # noqa: INP001  # a program

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from mlflow.server.auth.config import read_auth_config
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.db.utils import create_sqlalchemy_engine_with_retry
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

SECRETS = Path("/run/secrets")
# Beside READ, which everybody has, and MANAGE on experiments and models that a user has made. MLflow asks for MANAGE
# where an alias is removed; without more than EDIT on versions, nobody can delete a version, or a model with versions.
GRANTS = {
    "api": {"registered_model": "MANAGE", "registered_model_version": "EDIT"},
    "monitor": {},
    "training": {"experiment": "EDIT", "registered_model": "MANAGE", "registered_model_version": "MANAGE"},
}
EVERYTHING = "*"
LOCK = 20_261_129  # of PostgreSQL, in MLflow's database; any number that nothing else there takes


def main() -> None:
    """Make or change all users."""
    store = SqlAlchemyStore()
    uri = read_auth_config().database_uri
    with one_at_a_time(uri):
        store.init_db(uri)  # type: ignore[no-untyped-call]  # MLflow gives it no types
        for name in ("admin", *GRANTS):
            make_user(store, name, (SECRETS / f"mlflow_{name}").read_text(encoding="utf-8").strip())
        for name, grants in GRANTS.items():
            make_role(store, name, grants)


@contextmanager
def one_at_a_time(uri: str) -> Iterator[None]:
    """Wait until no other server that starts does the same."""
    engine = create_sqlalchemy_engine_with_retry(uri)  # type: ignore[no-untyped-call]  # as above
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        yield
    engine.dispose()


def make_user(store: SqlAlchemyStore, name: str, password: str) -> None:
    """Make a user, or change what is different."""
    is_admin = name == "admin"
    if not store.has_user(name):
        store.create_user(name, password, is_admin=is_admin)
    elif not store.authenticate_user(name, password):
        store.update_user(name, password, is_admin=is_admin)
    elif store.get_user(name).is_admin != is_admin:
        store.update_user(name, is_admin=is_admin)


def make_role(store: SqlAlchemyStore, name: str, grants: dict[str, str]) -> None:
    """Make the role of a user with these grants and no others; what the user should have is never away meanwhile."""
    roles = {role.name: role for role in store.list_roles([DEFAULT_WORKSPACE_NAME])}
    role = roles.get(name) or store.create_role(name, DEFAULT_WORKSPACE_NAME, "made by the lab at each start of MLflow")
    there = {each.resource_type: each for each in role.permissions if each.resource_pattern == EVERYTHING}
    for kind, permission in grants.items():
        if kind not in there:
            store.add_role_permission(role.id, kind, EVERYTHING, permission)
        elif there[kind].permission != permission:
            store.update_role_permission(there[kind].id, permission)
    for each in role.permissions:
        if each.resource_pattern != EVERYTHING or each.resource_type not in grants:
            store.remove_role_permission(each.id)
    user = store.get_user(name).id
    if role.id not in {each.id for each in store.list_user_roles(user)}:
        store.assign_role_to_user(user, role.id)


if __name__ == "__main__":
    main()
