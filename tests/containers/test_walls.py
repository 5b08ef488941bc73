"""The walls between the containers: secrets, log-ins, roles of the database, networks, named keys, and TLS."""

import json
import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.parts import wait_for
from tests.containers.stack import KEY, NAME, PASSWORD, PORTS, Stack, engine

LIE = "203.0.113.9"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}  # as browsers say about a form of the page itself
# The program tries the database of its settings, and prints the errors.
DATABASE = """
import json, sys
import psycopg

def refused(statement, database="lab"):
    try:
        with psycopg.connect(host="postgres", user=sys.argv[1], dbname=database) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        return type(error).__name__
    return None

print(json.dumps({
    "superuser": refused("DO $$ BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN "
        "RAISE EXCEPTION 'superuser'; END IF; END $$"),
    "read": refused("SELECT count(*) FROM predictions"),
    "create": refused("CREATE TABLE mine (id int)"),
    "drop": refused("DROP TABLE feedback"),
    "truncate": refused("TRUNCATE feedback"),
    "rewrite": refused("UPDATE audit_log SET actor = 'nobody'"),
    "another database": refused("SELECT 1", "mlflow"),
}))
"""
REACHED = """
import json, socket, sys

def reached(place):
    host, port = place.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError as error:
        return type(error).__name__
    return "reached"

print(json.dumps({place: reached(place) for place in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def registered(stack: Stack) -> str:
    """The name of a registered model with one version, which the training's user has made."""

    def post(path: str, content: dict[str, str]) -> Any:
        return mlflow(stack, "training", "POST", path, json=content).raise_for_status().json()

    name = {"name": "Walls"}
    post("/registered-models/create", name)
    run = post("/runs/create", {"experiment_id": "0"})["run"]["info"]
    post("/model-versions/create", {**name, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]})
    return "Walls"


def mlflow(stack: Stack, user: str | None, method: str, path: str, **content: Any) -> httpx.Response:
    """Send a request to MLflow with the log-in of a user."""
    log_in = (user, PASSWORD) if user else None
    address = f"{stack.address('MLFLOW_PORT')}/api/2.0/mlflow{path}"
    return httpx.request(method, address, auth=log_in, timeout=20.0, **content)


def test_no_container_shows_a_secret(stack: Stack) -> None:
    folder = Path(stack.environment["LAB_SECRETS"])
    secrets = {path.read_text() for path in folder.iterdir() if path.stat().st_size}
    names = [each["Name"] for each in stack.containers()]
    assert len(names) >= 10
    found = json.loads(engine("inspect", *names))
    for container in found:
        shown = json.dumps([container["Config"]["Env"], container["Config"]["Cmd"], container["Args"]])
        assert [secret for secret in secrets if json.dumps(secret)[1:-1] in shown] == [], container["Name"]


def test_mlflow_and_prefect_answer_nobody_without_a_log_in(stack: Stack) -> None:
    asked = {"experiment_id": "0"}
    statuses = {
        user: mlflow(stack, user, "GET", "/experiments/get", params=asked).status_code
        for user in (None, "api", "monitor", "training", "nobody")
    }
    assert statuses == {None: 401, "api": 200, "monitor": 200, "training": 200, "nobody": 401}
    with httpx.Client(base_url=f"{stack.address('PREFECT_PORT')}/api") as prefect:
        wanted = "/deployments/name/finetune/finetune"
        assert prefect.get(wanted).status_code == 401
        assert prefect.get(wanted, auth=("lab", "another")).status_code == 401
        assert prefect.get(wanted, auth=("lab", PASSWORD)).status_code == 200
        assert prefect.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("monitor", {"read": 200, "tag": 403, "alias": 403, "no alias": 403, "delete": 403, "delete all": 403}),
        ("api", {"read": 200, "tag": 200, "alias": 200, "no alias": 200, "delete": 403, "delete all": 403}),
    ],
)
def test_a_service_may_do_in_the_registry_only_what_it_needs(
    stack: Stack, registered: str, user: str, expected: dict[str, int]
) -> None:
    name = {"name": registered}
    version, alias = {**name, "version": "1"}, {**name, "alias": "some"}
    wanted: dict[str, tuple[str, str, dict[str, Any]]] = {
        "read": ("GET", "/model-versions/get", {"params": version}),
        "tag": ("POST", "/model-versions/set-tag", {"json": {**version, "key": "a", "value": "b"}}),
        "alias": ("POST", "/registered-models/alias", {"json": {**alias, "version": "1"}}),
        "no alias": ("DELETE", "/registered-models/alias", {"json": alias}),
        "delete": ("DELETE", "/model-versions/delete", {"json": version}),
        "delete all": ("DELETE", "/registered-models/delete", {"json": name}),
    }
    found = {what: mlflow(stack, user, method, path, **more) for what, (method, path, more) in wanted.items()}
    assert {what: answer.status_code for what, answer in found.items()} == expected


@pytest.mark.parametrize(
    ("service", "role"), [("api", "lab_api"), ("monitor", "lab_monitor"), ("finetune", "lab_worker")]
)
def test_a_service_reads_and_writes_rows_of_its_own_database_and_changes_no_table(
    stack: Stack, service: str, role: str
) -> None:
    found = json.loads(stack.with_secrets(service, "python", "-c", DATABASE, role).stdout)
    assert (found.pop("superuser"), found.pop("read")) == (None, None)
    assert found == {
        "create": "InsufficientPrivilege",
        "drop": "InsufficientPrivilege",
        "truncate": "InsufficientPrivilege",
        "rewrite": "InsufficientPrivilege",
        "another database": "OperationalError",
    }


OWNED = {"lab": "lab_owner", "mlflow": "mlflow", "prefect": "prefect"}


def owners(stack: Stack) -> dict[str, list[str]]:
    asked = """
        SELECT pg_get_userbyid(relowner) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
        UNION SELECT pg_get_userbyid(typowner) FROM pg_type
            WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
        UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
    """
    return {name: stack.ask_database(asked, name) for name in OWNED}


def test_the_tables_belong_to_a_role_that_only_the_migration_uses(stack: Stack) -> None:
    assert owners(stack) == {name: [owner] for name, owner in OWNED.items()}
    users = set(stack.ask_database("SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL"))
    assert users <= {"lab_api", "lab_monitor", "lab_worker", "mlflow", "prefect"}
    assert users >= {"mlflow", "prefect"}


def test_the_roles_can_be_given_again_to_what_belongs_to_the_superuser_as_in_older_versions(stack: Stack) -> None:
    stack.ask_database("ALTER DATABASE lab OWNER TO lab; ALTER TABLE predictions OWNER TO lab")
    stack.ask_database("ALTER VIEW predictions_and_revisions OWNER TO lab")
    stack.ask_database("ALTER DATABASE mlflow OWNER TO lab; ALTER TABLE runs OWNER TO lab", "mlflow")
    stack.inside("postgres", "bash", "/docker-entrypoint-initdb.d/roles.sh")
    assert owners(stack) == {name: [owner] for name, owner in OWNED.items()}
    assert stack.inside("monitor", "python", "healthy.py", "http://127.0.0.1:5004/readyz").returncode == 0


def test_the_api_reaches_the_database_the_registry_and_prefect_but_no_worker_no_page_and_nothing_outside(
    stack: Stack,
) -> None:
    near, far = ("postgres:5432", "mlflow:5000", "prefect:4200"), ("alertmanager:9093", "finetune:8080", "keys:1")
    found = json.loads(stack.inside("api", "python", "-c", REACHED, *near, *far).stdout)
    assert found == dict.fromkeys(near, "reached") | dict.fromkeys(far, "gaierror")
    routes = {name: stack.inside(name, "cat", "/proc/net/route").stdout for name in ("api", "finetune", "monitor")}
    outside = {name for name, table in routes.items() if re.search(r"^\S+\t00000000\t", table, re.MULTILINE)}
    assert outside == {"monitor"}


@pytest.fixture(scope="module")
def anna(stack: Stack) -> str:
    """The key of a person with the role operate."""
    return stack.once("keys", "add", "anna", "--role", "operate").split()[-1]


def test_a_named_key_opens_the_api_and_the_monitor(stack: Stack, anna: str) -> None:
    monitor, api = stack.address("MONITOR_PORT"), stack.address("API_PUBLISHED_PORT")
    headers = {"Accept": "application/json"}
    for address in (f"{monitor}/audit", f"{api}/corrections"):
        assert httpx.get(address, headers=headers).status_code == 401, address
        assert httpx.get(address, headers={**headers, "X-API-Key": anna}).status_code == 200, address


@pytest.fixture(scope="module")
def tls(stack: Stack) -> Iterator[httpx.Client]:
    """A client that trusts the certificate of the profile `tls`, and calls the lab by the name in it."""
    stack.start("--no-recreate", "--no-deps", "tls")
    pem = (Path(stack.environment["LAB_SECRETS"]) / "tls.pem").read_text()
    trust = ssl.create_default_context(cadata=pem[: pem.index("-----BEGIN PRIVATE KEY")])
    with httpx.Client(verify=trust, timeout=20.0) as client:
        yield client
    stack.compose("rm", "--stop", "--force", "tls")


def ask(tls: httpx.Client, stack: Stack, port: str, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    """Send a request to a port of the proxy, by the name in its certificate."""
    number = stack.environment[port]
    headers = {"Host": f"{NAME}:{number}", **more.pop("headers", {})}
    extensions = {"sni_hostname": NAME}
    scheme = "http" if port == "TLS_HTTP_PORT" else "https"
    return tls.request(method, f"{scheme}://127.0.0.1:{number}{path}", headers=headers, extensions=extensions, **more)


def test_api_and_monitor_answer_over_https_to_their_names_alone(stack: Stack, tls: httpx.Client) -> None:
    assert "TLS_PORT" in PORTS
    wait_for("the api", lambda: ask(tls, stack, "TLS_PORT", "/livez").is_success)
    wait_for("the monitor", lambda: ask(tls, stack, "TLS_MONITOR_PORT", "/livez").is_success)
    for port in ("TLS_PORT", "TLS_MONITOR_PORT"):
        assert ask(tls, stack, port, "/livez", headers={"Host": "other.example"}).status_code == 421
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{stack.environment['TLS_PORT']}/livez")


def test_browsers_that_came_by_tls_come_by_tls_alone_and_older_versions_are_refused(
    stack: Stack, tls: httpx.Client
) -> None:
    for port in ("TLS_PORT", "TLS_MONITOR_PORT"):
        assert ask(tls, stack, port, "/livez").headers["Strict-Transport-Security"] == "max-age=15552000"
        local = ask(tls, stack, port, "/livez", headers={"Host": f"localhost:{stack.environment[port]}"})
        assert "Strict-Transport-Security" not in local.headers
        assert [agreed(stack, port, version) for version in ("TLSv1_2", "TLSv1_3")] == ["TLSv1.2", "TLSv1.3"]
        assert agreed(stack, port, "TLSv1_1") == "TLSV1_ALERT_PROTOCOL_VERSION"


def agreed(stack: Stack, port: str, newest: str) -> str | None:
    """Return the version of TLS that a port agrees on with a client of this version or older, or why it refuses."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    # By itself the client's own library would refuse what is asked of the proxy here.
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion[newest]
    try:
        with (
            socket.create_connection(("127.0.0.1", int(stack.environment[port]))) as connection,
            client.wrap_socket(connection, server_hostname=NAME) as channel,
        ):
            return channel.version()
    except ssl.SSLError as refused:
        return refused.reason


def test_http_leads_to_https(stack: Stack, tls: httpx.Client) -> None:
    moved = ask(tls, stack, "TLS_HTTP_PORT", "/docs?a=1")
    assert (moved.status_code, moved.headers["Location"]) == (
        308,
        f"https://{NAME}:{stack.environment['TLS_PORT']}/docs?a=1",
    )


def test_behind_tls_a_session_is_for_https_alone_and_nobody_makes_up_an_address(
    stack: Stack, tls: httpx.Client, anna: str
) -> None:
    lie = {"X-Forwarded-For": LIE, "X-Forwarded-Proto": "http"}
    wait_for("the monitor", lambda: ask(tls, stack, "TLS_MONITOR_PORT", "/livez").is_success)
    entered = ask(tls, stack, "TLS_MONITOR_PORT", "/log-in", "POST", data={"key": anna}, headers={**lie, **OWN_PAGE})
    assert entered.status_code == 303
    assert "Secure" in entered.headers["Set-Cookie"]
    tried = ask(tls, stack, "TLS_PORT", "/models/99/promote", "POST", headers={**lie, "X-API-Key": anna})
    assert tried.status_code in {404, 409, 503}

    def noted() -> str:
        log = {"X-API-Key": anna, "Accept": "text/html"}
        return ask(tls, stack, "TLS_MONITOR_PORT", "/audit", headers=log).raise_for_status().text

    # The api notes a change after its answer.
    wait_for("the entry", lambda: "/models/99/promote" in noted())
    assert LIE not in noted()


def test_the_metrics_of_prefect_need_its_password_which_prometheus_has(stack: Stack) -> None:
    metrics = f"{stack.address('PREFECT_PORT')}/api/metrics"
    assert httpx.get(metrics).status_code == 401
    assert httpx.get(metrics, auth=("lab", PASSWORD)).status_code == 200


def test_the_key_of_the_api_still_opens_it(stack: Stack) -> None:
    with stack.client() as api:
        assert api.headers["X-API-Key"] == KEY
        assert api.get("/corrections").status_code == 200
