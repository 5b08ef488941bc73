"""Alertmanager: its posts to the webhook, whose address stands in no file of the project."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import yaml

from common.settings import PROJECT
from scripts.parts import answers, free_port, process, wait_for
from tests.prometheus.programs import program, run, said
from tests.receiver import Receiver

SCRIPT = PROJECT / "prometheus" / "alertmanager.sh"


def received(receiver: Receiver) -> set[tuple[str, str, str]]:
    """Return name, problem and status of every posted alert."""
    alerts = [alert for body in list(receiver.posted) for alert in body["alerts"]]
    return {(alert["labels"]["alertname"], alert["labels"]["problem"], alert["status"]) for alert in alerts}


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """Run the project's Alertmanager with waiting times of one second; yield its address."""
    program("prometheus-alertmanager")
    script = str(shutil.copy(SCRIPT, folder))
    template = SCRIPT.with_suffix(".yml").read_text(encoding="utf-8")
    hurried = template.replace("group_wait: 15s", "group_wait: 1s").replace("group_interval: 5m", "group_interval: 1s")
    (folder / "alertmanager.yml").write_text(hurried, encoding="utf-8")
    (folder / "tmp").mkdir()
    address = f"127.0.0.1:{free_port()}"
    command = ["sh", script, f"--web.listen-address={address}", f"--storage.path={folder / 'data'}"]
    environment = {**os.environ, "ALERT_WEBHOOK_URL": webhook, "TMPDIR": str(folder / "tmp")}
    with process(command, folder / "log", environment):
        wait_for("Alertmanager", lambda: answers(f"http://{address}/-/ready"))
        yield f"http://{address}"


def written(folder: Path) -> Path:
    """Return the path of the configuration that Alertmanager was started with."""
    [path] = (folder / "tmp").rglob("alertmanager.yml")
    return path


def post_alerts(address: str, *names: str, problem: str = "iris", over: bool = False) -> None:
    """Send alerts to Alertmanager as Prometheus does."""
    end = {"endsAt": datetime.now(UTC).isoformat()} if over else {}
    alerts = [{"labels": {"alertname": name, "severity": "page", "problem": problem}, **end} for name in names]
    httpx.post(f"{address}/api/v2/alerts", json=alerts).raise_for_status()


def test_alerts_and_their_ends_are_posted_to_the_webhook_of_the_environment(receiver: Receiver, tmp_path: Path) -> None:
    path = r"/services/T0&B|\1/x"
    with alertmanager(tmp_path, f"http://127.0.0.1:{receiver.server_port}{path}") as address:
        post_alerts(address, "ApiDown")
        wait_for("the alert", lambda: ("ApiDown", "iris", "firing") in received(receiver))
        post_alerts(address, "ApiDown", over=True)
        wait_for("its end", lambda: ("ApiDown", "iris", "resolved") in received(receiver))
        ended = run("amtool", "check-config", written(tmp_path))
    assert ended.returncode == 0, said(ended)
    body = receiver.posted[0]
    assert unquote(receiver.paths[0]) == path
    assert body["groupLabels"] == {"alertname": "ApiDown", "problem": "iris"}
    assert body["receiver"] == "people"


def test_an_alert_is_not_posted_while_its_causes_alert_is_open(receiver: Receiver, tmp_path: Path) -> None:
    with alertmanager(tmp_path, f"http://127.0.0.1:{receiver.server_port}/") as address:
        post_alerts(address, "NoModel")
        wait_for("the cause", lambda: ("NoModel", "iris", "firing") in received(receiver))
        post_alerts(address, "HighErrorRatio")
        post_alerts(address, "HighErrorRatio", problem="breast_cancer")
        wait_for("another problem's", lambda: ("HighErrorRatio", "breast_cancer", "firing") in received(receiver))
        known = httpx.get(f"{address}/api/v2/alerts").raise_for_status().json()
    inhibited = [alert["labels"] for alert in known if alert["status"]["inhibitedBy"]]
    assert [(labels["alertname"], labels["problem"]) for labels in inhibited] == [("HighErrorRatio", "iris")]
    assert ("HighErrorRatio", "iris", "firing") not in received(receiver)


def test_without_a_webhook_alerts_are_shown_and_not_posted(tmp_path: Path) -> None:
    with alertmanager(tmp_path, "") as address:
        post_alerts(address, "ApiDown")
        [alert] = httpx.get(f"{address}/api/v2/alerts").raise_for_status().json()
    assert alert["labels"]["alertname"] == "ApiDown"
    config = written(tmp_path)
    assert yaml.safe_load(config.read_text(encoding="utf-8"))["receivers"] == [{"name": "people"}]
    ended = run("amtool", "check-config", config)
    assert ended.returncode == 0, said(ended)


def test_others_cannot_read_the_webhook(tmp_path: Path) -> None:
    with alertmanager(tmp_path, "http://127.0.0.1:1/secret"):
        folder = written(tmp_path).parent
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("webhook", ["hooks.example", "ftp://hooks.example", "https://", "http://it's", "http://a b"])
def test_an_invalid_address_ends_the_script_with_one_line(webhook: str) -> None:
    ended = subprocess.run(
        ["sh", SCRIPT], env={**os.environ, "ALERT_WEBHOOK_URL": webhook}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("ALERT_WEBHOOK_URL must")


def test_the_configuration_in_the_project_is_valid_and_holds_no_real_address() -> None:
    template = SCRIPT.with_suffix(".yml")
    ended = run("amtool", "check-config", template)
    assert ended.returncode == 0, said(ended)
    [receiver] = yaml.safe_load(template.read_text(encoding="utf-8"))["receivers"]
    assert [hook["url"] for hook in receiver["webhook_configs"]] == ["http://webhook.invalid/"]
