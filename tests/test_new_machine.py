"""The recipe of docs/backup.md, "A machine from nothing to TLS", as far as it goes without an engine."""

import ipaddress
import os
import re
import shutil
import ssl
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from common.settings import PROJECT
from tests.test_containers import SECRET, compose

NAME = "lab.example.org"
CERTIFICATE = "containers/certificate.sh"


def recipe() -> str:
    page = (PROJECT / "docs" / "backup.md").read_text(encoding="utf-8")
    return page.partition("## A machine from nothing to TLS")[2].partition("\n## ")[0]


def step(number: int) -> str:
    """Return the text of a numbered step."""
    return recipe().partition(f"\n{number}. ")[2].partition(f"\n{number + 1}. ")[0]


def block(number: int) -> str:
    """Return the commands of a step."""
    [commands] = re.findall(r"```sh\n(.*?)```", step(number).replace("\n   ", "\n"), re.DOTALL)
    return str(commands)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the steps 3 and 4 use, after these steps."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "containers").mkdir()
    for name in ("containers/folders.sh", "containers/make_secrets.sh", CERTIFICATE, ".env.example"):
        shutil.copy(PROJECT / name, folder / name)
    for number in (3, 4):
        run(["sh", "-eu", "-c", block(number)], folder)
    return folder


def run(command: list[str], folder: Path, **variables: str) -> None:
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def rendered(clone: Path) -> dict[str, Any]:
    """The services as docker compose understands them with the settings of the recipe."""
    config = compose("--env-file", str(clone / ".env"), "config")
    assert (config.returncode, config.stderr) == (0, "")
    found: dict[str, Any] = YAML(typ="safe").load(config.stdout)["services"]
    return found


def ports(services: dict[str, Any]) -> list[tuple[str, ipaddress.IPv4Address, int, int]]:
    return [
        (name, ipaddress.IPv4Address(port["host_ip"]), int(port["published"]), port["target"])
        for name, each in services.items()
        for port in each.get("ports", ())
    ]


def test_others_reach_the_ports_that_the_firewall_lets_in_and_no_more(rendered: dict[str, Any]) -> None:
    let_in = {int(number) for number in re.findall(r"\b\d+\b", step(2).partition(", and nothing else")[0])}
    opened = {(name, port, target) for name, address, port, target in ports(rendered) if not address.is_loopback}
    assert opened == {("tls", 443, 8443), ("tls", 5443, 8444), ("tls", 80, 8080)}
    assert let_in == {port for _, port, _ in opened} | {22}


def test_no_two_services_take_the_same_port(rendered: dict[str, Any]) -> None:
    def clash(one: ipaddress.IPv4Address, other: ipaddress.IPv4Address) -> bool:
        return one == other or one.is_unspecified or other.is_unspecified

    assert [
        (one, other, port)
        for (one, here, port, _), (other, there, also, _) in combinations(ports(rendered), 2)
        if port == also and clash(here, there)
    ] == []


def test_the_settings_are_known_ones_and_no_secrets(rendered: dict[str, Any]) -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    added = re.findall(r"^([A-Z_]+)=", block(4), re.MULTILINE)
    assert set(added) <= set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    assert [name for name in added if SECRET.search(name)] == []
    assert rendered["api"]["environment"]["ALLOWED_HOSTS"] == NAME
    assert rendered["finetune"]["user"] == f"{os.getuid()}:{os.getgid()}"


def test_the_secrets_that_a_person_chose_stay_and_the_certificate_has_the_name(clone: Path) -> None:
    folder = clone / "containers" / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert (folder / "alert_webhook_url").read_text() == "https://alerts.example.org/lab\n"
    assert len((folder / "api_key").read_text()) == 65
    assert names_in(folder / "tls.pem") == {NAME, "127.0.0.1"}


def names_in(pem: Path) -> set[str]:
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(pem), "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(re.findall(r"(?:DNS|IP Address):([^,\s]+)", shown))


def test_keys_and_certificate_come_before_the_lab_is_opened() -> None:
    order = [recipe().index(text) for text in ("run --rm keys add", "certbot certonly", "--profile tls up -d --wait")]
    assert order == sorted(order)
    assert all(" up " not in block(number) for number in (3, 4, 5, 6))


@pytest.fixture
def own_clone(clone: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(clone, tmp_path / "clone"))


def hook(clone: Path, option: str, tmp_path: Path, engine: str) -> list[str]:
    """Run a hook of step 6 as certbot does; return the commands that it gives to docker compose."""
    [argument] = re.findall(rf'{option} "\$hook (\w+)"', block(6))
    calls = tmp_path / "calls"
    calls.write_text("")
    (tmp_path / "compose").write_text(f'echo "$*" >>{calls}\ncase "$*" in *" ps "*) echo "{engine}" ;; esac\n')
    variables = {"LAB_COMPOSE": f"sh {tmp_path / 'compose'}", "RENEWED_LINEAGE": str(tmp_path)}
    run(["sh", str(clone / CERTIFICATE), argument], tmp_path, **variables)
    return calls.read_text().splitlines()


def test_the_first_certificate_takes_the_place_of_the_other_without_an_engine(own_clone: Path, tmp_path: Path) -> None:
    assert f'"sh /home/lab/closed-loop-lab/{CERTIFICATE}"' in block(6)
    looked = "--profile tls ps --all --services"
    new_certificate(tmp_path)
    assert hook(own_clone, "--pre-hook", tmp_path, "") == [looked]
    assert hook(own_clone, "--deploy-hook", tmp_path, "") == []
    assert hook(own_clone, "--post-hook", tmp_path, "") == [looked]
    pem = own_clone / "containers" / "secrets" / "tls.pem"
    assert names_in(pem) == {"renewed.example.org"}
    assert pem.stat().st_mode & 0o777 == 0o444
    # As HAProxy reads it: the certificate first, and the key that fits it in the same file.
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(pem)


def test_a_renewal_frees_port_80_and_starts_the_proxy_with_the_new_file(own_clone: Path, tmp_path: Path) -> None:
    new_certificate(tmp_path)
    assert hook(own_clone, "--pre-hook", tmp_path, "tls")[1:] == ["--profile tls stop tls"]
    assert hook(own_clone, "--deploy-hook", tmp_path, "tls") == []
    assert hook(own_clone, "--post-hook", tmp_path, "tls")[1:] == ["--profile tls restart tls"]


def new_certificate(folder: Path) -> None:
    """Make the two files that certbot leaves."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=renewed.example.org"
    more = "-addext subjectAltName=DNS:renewed.example.org -keyout privkey.pem -out fullchain.pem"
    run([*command.split(), *more.split()], folder)
