"""Checks of docker-compose.yaml and the Dockerfiles without a container engine; tests/containers starts them."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from common.settings import PROJECT, load_settings

SECRETS = {"POSTGRES_PASSWORD": "a", "GRAFANA_ADMIN_PASSWORD": "b"}
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
    config = compose(*chosen, "config", **SECRETS)
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
    checked = compose(*(f"--file={file}" for file in files), "config", "--quiet", **SECRETS)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("service", ["mlflow", "prometheus", "alertmanager", "grafana", "api"])
def test_a_service_alone_asks_for_no_secret_before_a_program_starts_that_needs_one(service: str) -> None:
    checked = compose("config", "--quiet", service)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_only_prometheus_and_alertmanager_start_without_a_secret() -> None:
    listed: dict[str, Any] = YAML(typ="safe").load(compose("config").stdout)["services"]

    def reached(name: str) -> set[str]:
        return {name}.union(*(reached(each) for each in listed[name].get("depends_on", {})))

    def has_a_secret(name: str) -> bool:
        return any("PASSWORD" in variable for variable in listed[name].get("environment", {}))

    assert {name for name in listed if not any(map(has_a_secret, reached(name)))} == {"prometheus", "alertmanager"}


PROGRAMS = {
    "grafana": ("GF_SECURITY_ADMIN_PASSWORD", "GRAFANA_ADMIN_PASSWORD", "/run.sh"),
    "postgres": ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD", "docker-entrypoint.sh postgres"),
}


@pytest.mark.parametrize("password", ["", "p $(w)'\""])
@pytest.mark.parametrize("service", PROGRAMS)
def test_a_program_starts_with_its_password_alone_and_says_where_to_set_it(service: str, password: str) -> None:
    inside, variable, program = PROGRAMS[service]
    *shell, script = services()[service]["entrypoint"]
    assert shell == ["sh", "-c"]
    assert script.endswith(f"exec {program}")
    # As docker compose hands it on, with another program in its place.
    command = script.replace("$$", "$").replace(program, "echo started")
    given = {"PATH": os.environ["PATH"], inside: password}
    ended = subprocess.run([*shell, command], env=given, capture_output=True, text=True, check=False)
    missing = f"{variable} is missing a value: set it in .env, see .env.example\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == ((0, "started\n", "") if password else (1, "", missing))


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
    assert in_the_lesson["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "admin"  # noqa: S105  # of the lesson
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
    assert changed == {("api", "ports"), ("api", "volumes"), ("api", "depends_on"), ("proxy", "ports")}


def test_the_example_names_every_variable_and_sets_no_secret() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")))
    assert set(listed) == used
    assert {name: listed[name] for name in (*SECRETS, "API_KEY")} == dict.fromkeys((*SECRETS, "API_KEY"), "")


def test_every_service_that_stays_has_a_health_check_and_comes_back() -> None:
    staying = {name: each for name, each in services().items() if "profiles" not in each}
    assert len(staying) >= 10
    checked = {name for name, each in staying.items() if "healthcheck" in each}
    own = {path for path in DOCKERFILES if "HEALTHCHECK" in (PROJECT / path).read_text(encoding="utf-8")}
    assert {name for name in staying if name not in checked} == {
        name for name, each in staying.items() if each.get("build", {}).get("dockerfile") in own
    }
    assert {each["restart"] for each in staying.values()} == {"unless-stopped"}


def test_only_services_with_a_key_or_a_login_can_be_opened_to_others() -> None:
    def open_to_all(**variables: str) -> set[str]:
        config = compose("config", **SECRETS, **variables)
        listed = YAML(typ="safe").load(config.stdout)["services"]
        return {name for name, each in listed.items() for port in each.get("ports", []) if port["host_ip"] == "0.0.0.0"}  # noqa: S104  # what is asked

    assert open_to_all() == set()
    guarded = {"proxy", "grafana", "api-breast-cancer", "api-travel-insurance"}
    assert open_to_all(PUBLISH_ADDRESS="0.0.0.0") == guarded  # noqa: S104  # as people may


def test_the_stand_ins_change_only_where_programs_come_from() -> None:
    real, replaced = services("docker-compose.yaml"), services("docker-compose.yaml", STAND_INS)
    assert set(real) - set(replaced) == {"grafana"}
    changed = {
        key
        for name in replaced
        for key in real[name] | replaced[name]
        if real[name].get(key) != replaced[name].get(key)
    }
    assert changed <= {"image", "user", "entrypoint", "environment"}


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
