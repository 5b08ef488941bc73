"""The Cluster of the large overlay: CloudNativePG's steps with its statements, on a real PostgreSQL."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.settings import PROJECT
from tests.common.store.test_grants import engine_of, migrate, rights_of, run_roles, sorted_rights
from tests.deploy.rendering import Manifest, rendered
from tests.postgres import postgres_server

Url = Callable[..., str]
Rows = list[tuple[Any, ...]]
ATTRIBUTES = ("LOGIN", "SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS", "INHERIT")
# PUBLIC has rights that every role has, too.
EVERYBODY = "(SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' UNION SELECT 'public') AS everybody"
OF_THE_SERVER = {
    "roles": """
        SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolinherit,
            rolconnlimit, rolpassword IS NOT NULL
        FROM pg_authid WHERE rolname !~ '^pg_'
    """,
    "members": """
        SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members WHERE member::regrole::text !~ '^pg_'
    """,
    "databases": f"""
        SELECT datname, pg_get_userbyid(datdba), rolname, verb
        FROM pg_database, {EVERYBODY}, unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS verb
        WHERE has_database_privilege(rolname, datname, verb)
    """,  # noqa: S608  # our own words
}
OF_A_DATABASE = {
    "schema": f"""
        SELECT rolname, verb FROM {EVERYBODY}, unnest(ARRAY['USAGE', 'CREATE']) AS verb
        WHERE has_schema_privilege(rolname, 'public', verb)
    """,  # noqa: S608  # our own words
    "tables": """
        SELECT relname, pg_get_userbyid(relowner),
            (SELECT array_agg(one::text ORDER BY one::text) FROM unnest(relacl) AS one)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i'
    """,
    "new tables": "SELECT defaclrole::regrole::text, defaclobjtype, defaclacl::text FROM pg_default_acl",
}


@pytest.fixture(scope="module")
def cluster() -> Manifest:
    [found] = [each for each in rendered("overlays/large") if each["kind"] == "Cluster"]
    return found


@contextmanager
def new_server() -> Iterator[Url]:
    """Yield the URLs of an empty server by role and database."""
    with postgres_server() as server, server.database() as any_url:
        superuser = sa.make_url(any_url)

        def url(role: str, database: str = "lab") -> str:
            log_in = superuser if role == "superuser" else superuser.set(username=role)
            return log_in.set(database=database).render_as_string(hide_password=False)

        yield url


def run(url: str, *statements: str) -> None:
    with engine_of(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def bootstrap(url: Url, cluster: Manifest) -> None:
    """Take the operator's steps in its order: `ConfigureNewInstance` of its initdb.go, and then the managed roles."""
    init = cluster["spec"]["bootstrap"]["initdb"]
    database, owner = init["database"], init["owner"]
    run(url("superuser", "postgres"), f"CREATE ROLE {owner} LOGIN", *init.get("postInitSQL", ()))
    run(url("superuser", "template1"), *init.get("postInitTemplateSQL", ()))
    run(url("superuser", "postgres"), f"CREATE DATABASE {database} OWNER {owner}")
    run(url("superuser", database), *init.get("postInitApplicationSQL", ()))
    run(url("superuser", "postgres"), f"ALTER ROLE {owner} PASSWORD 'of {init['secret']['name']}'")
    for role in cluster["spec"]["managed"]["roles"]:
        assert set(role) <= {"name", "passwordSecret", *map(str.lower, ATTRIBUTES)}, "a step that is not taken here"
        # The operator takes away each attribute that the manifest does not name.
        words = [each if role.get(each.lower(), each == "INHERIT") else f"NO{each}" for each in ATTRIBUTES]
        password = f"PASSWORD 'of {role['passwordSecret']['name']}'" if "passwordSecret" in role else ""
        run(url("superuser", "postgres"), f"ALTER ROLE {role['name']} {' '.join(words)} {password}")


def bring_up_to_date(url: Url) -> None:
    ended = migrate(url("lab_owner"))
    assert (ended.stdout, ended.stderr) == ("the store's tables are up to date\n", "")


def found_on(url: Url) -> dict[str, Rows]:
    """Return the roles, the databases, and all rights on databases, schemas and tables."""

    def rows(database: str, query: str) -> Rows:
        with engine_of(url("superuser", database)) as connection:
            return sorted((tuple(row) for row in connection.exec_driver_sql(query)), key=str)

    of_server = {name: rows("postgres", query) for name, query in OF_THE_SERVER.items()}
    return of_server | {
        f"{name} of {database}": rows(database, query)
        for database in ("lab", "mlflow", "prefect")
        for name, query in OF_A_DATABASE.items()
    }


def test_the_operator_makes_the_roles_databases_and_rights_that_the_script_of_compose_makes(
    cluster: Manifest, tmp_path: Path
) -> None:
    with new_server() as url:
        bootstrap(url, cluster)
        bring_up_to_date(url)
        assert rights_of(url) == sorted_rights()
        by_operator = found_on(url)
    with new_server() as url:
        run(url("superuser", "postgres"), "CREATE DATABASE lab")
        run_roles(sa.make_url(url("superuser")), tmp_path)
        bring_up_to_date(url)
        by_script = found_on(url)
    assert by_operator == by_script
    assert all(by_script[each] for each in ("roles", "databases", "schema of lab", "tables of lab"))


def test_the_page_says_how_to_make_the_secret_of_each_role(cluster: Manifest) -> None:
    init = cluster["spec"]["bootstrap"]["initdb"]
    given = {each["name"]: each["passwordSecret"]["name"] for each in cluster["spec"]["managed"]["roles"]}
    given[init["owner"]] = init["secret"]["name"]
    page = (PROJECT / "docs" / "deploy.md").read_text(encoding="utf-8")
    loop = r"for role in ([\w ]+); do\n.* create secret generic postgres-\$\(echo \$role \| tr _ -\) "
    [names] = re.findall(loop, page)
    assert given == {name: f"postgres-{name.replace('_', '-')}" for name in names.split()}
