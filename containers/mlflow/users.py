"""Give MLflow the users of the lab, with the passwords of the secrets, before the server starts: `python users.py`.

A changed password or right counts from the next start on. The script uses MLflow's own store of users.
"""  # noqa: INP001  # a program

from pathlib import Path

from mlflow.server.auth.config import read_auth_config
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

SECRETS = Path("/run/secrets")
# Beside READ, which everybody has, and MANAGE on experiments and models that a user has made. MLflow asks for MANAGE
# where an alias is removed; without more than EDIT on versions, nobody can delete a version, or a model with versions.
GRANTS = {
    "api": {"registered_model": "MANAGE", "registered_model_version": "EDIT"},
    "monitor": {},
    "training": {"experiment": "EDIT", "registered_model": "MANAGE", "registered_model_version": "MANAGE"},
}


def main() -> None:
    """Make or change all users."""
    store = SqlAlchemyStore()
    store.init_db(read_auth_config().database_uri)  # type: ignore[no-untyped-call]  # MLflow gives it no types
    for name in ("admin", *GRANTS):
        password = (SECRETS / f"mlflow_{name}").read_text(encoding="utf-8").strip()
        if store.has_user(name):
            store.update_user(name, password, is_admin=name == "admin")
        else:
            store.create_user(name, password, is_admin=name == "admin")
    roles = {role.name: role.id for role in store.list_roles([DEFAULT_WORKSPACE_NAME])}
    for name, grants in GRANTS.items():
        if name in roles:
            store.delete_role(roles[name])
        role = store.create_role(name, DEFAULT_WORKSPACE_NAME, "made by the lab at each start of MLflow")
        for kind, permission in grants.items():
            store.add_role_permission(role.id, kind, "*", permission)
        store.assign_role_to_user(store.get_user(name).id, role.id)


if __name__ == "__main__":
    main()
