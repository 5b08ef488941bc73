"""Checks of docker-compose.yaml and the Dockerfiles without a container engine; tests/containers starts them."""

import os
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from common.settings import PROJECT, load_settings

STAND_INS = "tests/compose.stand-ins.yaml"
GROUPS = {"api": ("main", "api"), "finetune": ("main", "finetune", "cluster"), "monitor": ("main", "monitor")} | {
    "containers/mlflow": ("tracking", "s3")
}
IMAGES_PYTHON = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"} | {
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
}
DOCKERFILES = sorted(
    str(path.relative_to(PROJECT))
    for folder in ("api", "finetune", "monitor", "containers")
    for path in (PROJECT / folder).rglob("Dockerfile")
)
IMAGE = re.compile(r"^(?:FROM |[ -]+image(?:Name)?: )(\S+)", re.MULTILINE)
OPERATORS = "ghcr.io/cloudnative-pg/postgresql"  # Dependabot does not read `imageName`
WITHOUT_DIGEST = {"prefecthq/prefect:3.8.8-python3.12-kubernetes"}
Locked = dict[str, list[dict[str, Any]]]


def compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run docker compose with these variables and no others, whatever .env says."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **variables}
    without_env = [] if "--env-file" in arguments else ["--env-file", "/dev/null"]
    command = ["docker-compose", *without_env, "--profile", "*", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def services(*files: str) -> dict[str, Any]:
    """Return the services as docker compose understands them."""
    chosen = [f"--file={file}" for file in files]
    config = compose(*chosen, "config")
    assert config.returncode == 0, config.stderr
    found: dict[str, Any] = YAML(typ="safe").load(config.stdout)["services"]
    return found


def locked_packages() -> Locked:
    packages: Locked = {}
    for package in tomllib.loads((PROJECT / "poetry.lock").read_text(encoding="utf-8"))["package"]:
        packages.setdefault(package["name"], []).append(package)
    return packages


def roots(group: str) -> list[Requirement]:
    """Return the requirements of a group, included groups' too."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["project"]["dependencies"] if group == "main" else project["dependency-groups"][group]
    found = [Requirement(each) for each in listed if isinstance(each, str)]
    return found + [root for each in listed if isinstance(each, dict) for root in roots(each["include-group"])]


def needed(requirement: Requirement, locked: Locked) -> Iterator[Requirement]:
    """Yield what a package needs in the images, for the extras that are asked of it."""
    for package in locked[canonicalize_name(requirement.name)]:
        for name, given in package.get("dependencies", {}).items():
            for each in given if isinstance(given, list) else [given]:
                table = each if isinstance(each, dict) else {}
                wanted = Requirement(f"{name}[{','.join(table.get('extras', []))}]")
                marker = Requirement(f"{name} ; {table['markers']}").marker if "markers" in table else None
                extras = requirement.extras or {""}
                if marker is None or any(marker.evaluate({**IMAGES_PYTHON, "extra": extra}) for extra in extras):
                    yield wanted


def closure(groups: tuple[str, ...]) -> set[str]:
    """Return the names of all that the groups need in the images, by poetry.lock."""
    locked, seen = locked_packages(), set()
    waiting = [root for group in groups for root in roots(group)]
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            waiting += needed(Requirement(str(requirement).split(" ")[0].split("(")[0]), locked)
    return {canonicalize_name(Requirement(each).name) for each in seen}


def pinned(path: Path) -> list[tuple[str, str, set[str]]]:
    """Return names, versions and hashes of a file of requirements."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)(.*)$", text, re.MULTILINE)
    return [(canonicalize_name(name), version, set(re.findall(r"sha256:\w+", rest))) for name, version, rest in found]


@pytest.mark.parametrize("files", [["docker-compose.yaml"], ["docker-compose.yaml", STAND_INS]])
def test_docker_compose_understands_the_stack(files: list[str]) -> None:
    checked = compose(*(f"--file={file}" for file in files), "config", "--quiet")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


SECRET = re.compile("PASSWORD|SECRET|TOKEN|KEY|AUTH_STRING|WEBHOOK")
# The networks of each service, as docs/security.md has them; a service with several names is there once.
NETWORKS = {
    "postgres": "serving learning watching",
    "migrate": "serving",
    "mlflow": "serving learning watching pages",
    "prefect": "serving learning metrics pages",
    "finetune": "learning",
    "train": "learning",
    "traffic": "front",
    "keys": "",
    "api": "front serving metrics",
    "api-breast-cancer": "front serving metrics others",
    "finetune-breast-cancer": "learning",
    "api-travel-insurance": "front serving metrics others",
    "finetune-travel-insurance": "learning",
    "proxy": "front outside",
    "tls": "front back outside",
    "monitor": "watching metrics back pages",
    "prometheus": "metrics alerts pages",
    "alertmanager": "alerts pages",
    "grafana": "alerts pages",
}


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """The whole configuration as docker compose understands it."""
    config = compose("config")
    assert (config.returncode, config.stderr) == (0, "")
    found: dict[str, Any] = YAML(typ="safe").load(config.stdout)
    return found


@pytest.mark.parametrize("service", NETWORKS)
def test_a_service_has_no_privileges_and_its_limits(stack: dict[str, Any], service: str) -> None:
    found = stack["services"][service]
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["read_only"] is True
    assert {"privileged", "cap_add", "pid", "ipc", "devices"} & set(found) == set()
    assert 0 < int(found["mem_limit"]) <= 4 * 2**30
    assert 0 < int(found["pids_limit"]) <= 1024
    assert 0 < float(found["cpus"]) <= 2
    # Some images begin as root: PostgreSQL's, unless it gets another user. HAProxy's, Prometheus' and Grafana's do not.
    assert found.get("user") != "root"


def test_every_service_is_in_the_networks_that_the_documentation_has(stack: dict[str, Any]) -> None:
    found = {name: set(each.get("networks") or ()) for name, each in stack["services"].items()}
    assert found == {name: set(networks.split()) for name, networks in NETWORKS.items()}
    internal = {name for name, each in stack["networks"].items() if each.get("internal")}
    assert set(stack["networks"]) - internal == {"pages", "outside", "others"}


def test_the_api_reaches_the_database_the_registry_and_prefect_and_nothing_outside(stack: dict[str, Any]) -> None:
    networks = {name: set(each.get("networks") or ()) for name, each in stack["services"].items()}
    together = {name for name in networks if networks[name] & networks["api"]}
    others = {name for name in together if name.startswith("api")}
    assert together - others == {"postgres", "mlflow", "prefect", "proxy", "tls", "monitor", "prometheus"} | {
        "migrate", "traffic",
    }  # fmt: skip
    assert all(stack["networks"][name]["internal"] for name in networks["api"])


def test_no_secret_is_in_an_environment_or_a_command(stack: dict[str, Any]) -> None:
    files = {name for each in stack["secrets"].values() for name in [Path(each["file"]).name]}
    assert files == {each.name for each in (PROJECT / "containers" / "lesson_secrets").iterdir()} | {"tls.pem"}
    for name, service in stack["services"].items():
        given = {key: value for key, value in (service.get("environment") or {}).items() if SECRET.search(key)}
        assert {key for key, value in given.items() if not str(value).startswith("/run/secrets/")} == set(), name
        assert not any(re.search(r"://[^/@\s]*:[^/@\s]*@", str(value)) for value in service.values()), name


def test_each_service_gets_the_secrets_that_it_needs_and_no_other(stack: dict[str, Any]) -> None:
    given = {name: {each["source"] for each in one.get("secrets", ())} for name, one in stack["services"].items()}
    databases = [name for name in stack["secrets"] if name.startswith("postgres_")]
    assert {name: {each for each in given if name in given[each]} - {"postgres"} for name in databases} == {
        "postgres_superuser": set(),
        "postgres_owner": {"migrate"},
        "postgres_api": {"api", "api-breast-cancer", "api-travel-insurance"},
        "postgres_worker": {"finetune", "finetune-breast-cancer", "finetune-travel-insurance"},
        "postgres_monitor": {"monitor"},
        "postgres_mlflow": {"mlflow"},
        "postgres_prefect": {"prefect"},
    }
    assert {name for name in given if "mlflow_admin" in given[name]} == {"mlflow"}
    assert given["traffic"] == {"api_key"}
    days = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
    assert {name for name in given if given[name] & set(days)} == {"monitor"}
    assert days.items() <= {each["source"]: each["target"] for each in stack["services"]["monitor"]["secrets"]}.items()
    assert given["tls"] == {"tls.pem"}
    assert given["proxy"] == given["keys"] == set()


def test_api_and_monitor_read_the_named_keys_that_another_service_writes(stack: dict[str, Any]) -> None:
    def mounts(service: str) -> set[tuple[str, bool]]:
        found = stack["services"][service].get("volumes", ())
        return {(each["target"], each.get("read_only", False)) for each in found if each["source"] == "keys"}

    assert mounts("keys") == {("/lab/.lab/keys", False)}
    assert mounts("api") == mounts("monitor") == mounts("finetune") == {("/lab/.lab/keys", True)}


MAKE_SECRETS = "containers/make_secrets.sh"


def make_secrets(folder: Path, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "LAB_SECRETS": str(folder), **variables}
    made = subprocess.run(
        ["sh", MAKE_SECRETS], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout


def test_the_script_makes_all_secrets_once_for_their_owner_alone(tmp_path: Path, stack: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(made) == set(stack["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    random = [value for value in made.values() if len(value) == 48]
    assert len(set(random)) == len(random) == 15
    assert {name for name, value in made.items() if not value} == {
        "api_key", "review_key", "alert_webhook_url", "aws_access_key_id", "aws_secret_access_key",
    }  # fmt: skip
    assert made["prefect_log_in"] == b"lab:" + made["prefect_password"]
    (folder / "grafana_admin").unlink()
    # As container engines do where a file is missing.
    (folder / "grafana_admin").mkdir()
    assert make_secrets(folder) == f"made {folder}/grafana_admin (random)\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} | {"grafana_admin": b""} == made | {
        "grafana_admin": b""
    }


def test_the_script_takes_over_what_an_older_version_had_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    for script in (MAKE_SECRETS, "containers/folders.sh"):
        (tmp_path / script).write_text((PROJECT / script).read_text(encoding="utf-8"))
    (tmp_path / ".env").write_text('POSTGRES_PASSWORD=p w\'d\nAPI_KEY="a key"\nSIGNING_KEY=\n')
    environment = {"PATH": os.environ["PATH"]}
    command = ["sh", str(tmp_path / MAKE_SECRETS)]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    folder = tmp_path / "containers" / "secrets"
    assert (folder / "postgres_superuser").read_text() == "p w'd"
    assert (folder / "api_key").read_text() == "a key"
    assert len((folder / "signing_key").read_text()) == 48
    (tmp_path / ".env").write_text("API_KEY=another\n")
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stderr == "note: the containers use containers/secrets/api_key, and not API_KEY in .env\n"


def test_programs_get_the_secrets_as_variables_unless_they_are_empty(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in {"API_KEY": "p $(w)'\"", "REVIEW_KEY": "", "tls.pem": "x", "postgres_api": "y"}.items():
        (folder / name).write_text(value)
    script = (PROJECT / "containers" / "with_secrets.sh").read_text(encoding="utf-8")
    there = tmp_path / "with_secrets.sh"
    there.write_text(script.replace("/run/secrets", str(folder)))
    shown = subprocess.run(["sh", str(there), "env", "-0"], env={}, capture_output=True, text=True, check=True).stdout
    given = dict(each.split("=", 1) for each in shown.split("\0") if "=" in each)
    assert {name: given.get(name) for name in ("API_KEY", "REVIEW_KEY", "tls.pem", "postgres_api")} == {
        "API_KEY": "p $(w)'\"", "REVIEW_KEY": None, "tls.pem": None, "postgres_api": None,
    }  # fmt: skip


@pytest.mark.parametrize("password", ["", "p $(w)'\""])
def test_grafana_starts_with_its_password_alone_and_says_where_to_set_it(tmp_path: Path, password: str) -> None:
    *shell, script = services()["grafana"]["entrypoint"]
    assert shell == ["sh", "-c"]
    assert script.endswith("exec /run.sh")
    # As docker compose hands it on, with another program in its place.
    command = script.replace("$$", "$").replace("/run.sh", "echo started")
    (tmp_path / "password").write_text(password)
    given = {"PATH": os.environ["PATH"], "GF_SECURITY_ADMIN_PASSWORD__FILE": str(tmp_path / "password")}
    ended = subprocess.run([*shell, command], env=given, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == ((0, "started\n") if password else (1, ""))
    assert ("grafana_admin is empty" in ended.stderr) == (not password)


@pytest.fixture(scope="module")
def in_the_lesson() -> dict[str, Any]:
    """The services with the file of a lesson in the place of `.env`."""
    config = compose("--env-file", "containers/lesson.env", "config")
    assert (config.returncode, config.stderr) == (0, "")
    found: dict[str, Any] = YAML(typ="safe").load(config.stdout)["services"]
    return found


def test_in_the_lesson_the_api_and_grafana_are_where_the_lesson_says_on_this_machine_alone(
    in_the_lesson: dict[str, Any],
) -> None:
    ports = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in each.get("ports", [])]
        for name, each in in_the_lesson.items()
        if name in {"api", "grafana", "mlflow", "prometheus", "proxy"}
    }
    assert ports == {
        "api": [("127.0.0.1", "80", 8000)],
        "grafana": [("127.0.0.1", "3000", 3000)],
        "mlflow": [("127.0.0.1", "5000", 5000)],
        "prometheus": [("127.0.0.1", "9090", 9090)],
        "proxy": [],
    }
    assert (PROJECT / "containers" / "lesson_secrets" / "grafana_admin").read_text() == "admin"
    assert in_the_lesson["mlflow"]["environment"]["MLFLOW_LOG_INS"] == "off"
    assert "mlflow" in in_the_lesson["api"]["depends_on"]


def test_in_the_lesson_the_api_reads_its_settings_under_the_names_of_the_lesson(
    in_the_lesson: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = in_the_lesson["api"]["environment"]
    assert "MLFLOW_URI" not in given
    assert [each["target"] for each in in_the_lesson["api"]["volumes"] if each["type"] == "bind"] == ["/lab/data"]
    for name in ("MLFLOW_URI", "MLFLOW_URL", "CLASS_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MLFLOW_URL", "CLASS_PATH"):
        monkeypatch.setenv(name, given[name])
    settings = load_settings(_env_file=None)
    assert (settings.mlflow_uri, settings.class_path) == ("http://mlflow:5000", Path("/lab/data/iris/classes.json"))


def test_in_the_lesson_nothing_else_differs(in_the_lesson: dict[str, Any]) -> None:
    usual = services()
    assert set(in_the_lesson) == set(usual)
    changed = {
        (name, key)
        for name in usual
        for key in usual[name] | in_the_lesson[name]
        if key != "environment" and usual[name].get(key) != in_the_lesson[name].get(key)
    }
    assert changed == {("api", key) for key in ("ports", "volumes", "depends_on", "networks")} | {("proxy", "ports")}


def test_the_example_names_every_variable_and_sets_no_secret() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")))
    assert set(listed) == used | {"TLS_NAMES"}
    assert [name for name in listed if SECRET.search(name)] == ["LAB_SECRETS"]


def test_every_service_that_stays_has_a_health_check_and_comes_back() -> None:
    # `migrate` ends, and the services that need the tables wait for that.
    staying = {name: each for name, each in services().items() if "profiles" not in each and name != "migrate"}
    assert len(staying) >= 10
    checked = {name for name, each in staying.items() if "healthcheck" in each}
    own = {path for path in DOCKERFILES if "HEALTHCHECK" in (PROJECT / path).read_text(encoding="utf-8")}
    assert {name for name in staying if name not in checked} == {
        name for name, each in staying.items() if name not in checked and each.get("build", {}).get("dockerfile") in own
    }
    assert {each["restart"] for each in staying.values()} == {"unless-stopped"}


def test_only_services_with_a_key_or_a_login_can_be_opened_to_others() -> None:
    def open_to_all(**variables: str) -> set[str]:
        config = compose("config", **variables)
        listed = YAML(typ="safe").load(config.stdout)["services"]
        return {name for name, each in listed.items() for port in each.get("ports", []) if port["host_ip"] == "0.0.0.0"}  # noqa: S104  # what is asked

    assert open_to_all() == set()
    guarded = {"proxy", "grafana", "api-breast-cancer", "api-travel-insurance"}
    assert open_to_all(PUBLISH_ADDRESS="0.0.0.0") == guarded  # noqa: S104  # as people may
    assert open_to_all(TLS_ADDRESS="0.0.0.0") == {"tls"}  # noqa: S104  # as people may


def test_the_stand_ins_change_only_where_programs_come_from() -> None:
    real, replaced = services("docker-compose.yaml"), services("docker-compose.yaml", STAND_INS)
    assert set(real) - set(replaced) == {"grafana"}
    changed = {
        key
        for name in replaced
        for key in real[name] | replaced[name]
        if real[name].get(key) != replaced[name].get(key)
    }
    assert changed <= {"image", "user", "entrypoint"}


def test_every_image_of_others_has_its_digest_and_the_same_one_everywhere() -> None:
    files = [PROJECT / path for path in ("docker-compose.yaml", *DOCKERFILES)]
    files += [*(PROJECT / "containers").glob("*.yaml"), *(PROJECT / "deploy").rglob("*.yaml")]
    written = [each for file in files for each in IMAGE.findall(file.read_text(encoding="utf-8"))]
    of_others = {each for each in written if not each.startswith("closed-loop-lab/")} - WITHOUT_DIGEST
    assert {each for each in of_others if not re.fullmatch(r"[a-z./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", each)} == set()
    names = {"python", "postgres", "haproxy", "prom/prometheus", "prom/alertmanager", "grafana/grafana", OPERATORS}
    assert Counter(each.split(":")[0] for each in of_others) == dict.fromkeys(names, 1)


def test_newer_digests_are_proposed_for_every_file_with_one_that_dependabot_reads() -> None:
    listed = YAML(typ="safe").load((PROJECT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    folders = {each["package-ecosystem"]: each.get("directories", [each.get("directory")]) for each in listed}
    manifests = [
        path
        for path in (PROJECT / "deploy").rglob("*.yaml")
        if re.search(r"image: .*@sha256:", path.read_text(encoding="utf-8"))
    ]
    files = [*(PROJECT / path for path in DOCKERFILES), *manifests]
    assert folders["docker"] == sorted({f"/{file.parent.relative_to(PROJECT)}" for file in files})
    assert folders["docker-compose"] == ["/"]


@pytest.mark.parametrize("path", DOCKERFILES)
def test_hadolint_finds_no_fault_in_a_dockerfile(path: str) -> None:
    checked = subprocess.run(["hadolint", path], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("folder", GROUPS)
def test_an_image_installs_everything_that_it_needs(folder: str) -> None:
    assert closure(GROUPS[folder]) - {name for name, *_ in pinned(PROJECT / folder / "requirements.txt")} == set()


def test_only_files_that_images_copy_reach_the_builder() -> None:
    kept = {line[1:].rstrip("/") for line in (PROJECT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source.rstrip("/")
        for path in DOCKERFILES
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT / path).read_text(), re.MULTILINE)
        for source in sources.split()
    }
    assert {path for path in kept if not (PROJECT / path).exists()} == set()
    assert {source for source in copied if not any(Path(source).is_relative_to(each) for each in kept)} == set()


def test_the_migration_makes_every_table_of_the_store_because_no_service_may(postgres_url: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "DATABASE_URL": postgres_url}
    command = ["python", "containers/migrate.py"]
    made = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert made.stdout == "the store's tables are up to date\n", made.stderr
    engine = sa.create_engine(postgres_url)
    found = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    # The tables that any module of the store describes, also those that are no part of the schema.
    sources = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "common" / "store").rglob("*.py"))
    assert len(found) > 20
    described = set(re.findall(r'sa\.Table\(\s*"(\w+)"', sources))
    assert {"audit_log", "missing_rows", "predictions"} <= described
    assert described <= found
