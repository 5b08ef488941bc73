"""The whole of it: data drift, and within two windows the page, the metrics and a webhook tell it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page
from prometheus_client.parser import text_string_to_metric_families

from common.registry.client import Version
from common.settings import Settings
from scripts.parts import free_port, part, process, wait_for
from scripts.pictures import chromium, take_pictures, variants
from scripts.stack import log_path, process_environment
from tests.conftest import served_version
from tests.monitor.page.browser import POLL, visiting
from tests.receiver import Receiver

WINDOW = timedelta(seconds=20)
BEFORE = 10  # seconds without drift
STARTING = 15  # seconds that a program may take to start
ALERTS = {("feature_mean", "petal_width"), ("drift", "petal_width")}


@pytest.fixture
def lab(settings: Settings, trained: Version, receiver: Receiver) -> Settings:
    """A lab with version 1, whose monitor looks often at short windows, and posts."""
    assert trained.number == 1
    port = free_port()
    changes = {
        "api_port": free_port(),
        "monitor_port": port,
        "monitor_page": f"http://127.0.0.1:{port}",
        "evaluate_seconds": 2,
        "window_seconds": WINDOW.seconds,
        "alert_webhook_url": receiver.url,
    }
    return Settings(**{**settings.model_dump(), **changes})


@contextmanager
def traffic(lab: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Send, as people do, what drifts after a while."""
    command = [sys.executable, "-m", "scripts.traffic", "--rate", "40", "--seconds", "120", "--seed", "5"]
    # Two deviations would make nearly all rows outliers, which are left out of the means.
    drift = ["--drift", "petal_width=1", "--drift-after", str(BEFORE)]
    with process([*command, *drift], log_path(lab, "traffic"), process_environment(lab)) as started:
        yield started


def open_alerts(lab: Settings) -> set[tuple[str, str]]:
    """Return the alerts among the metrics, by kind and subject."""
    text = httpx.get(f"{lab.monitor_page}/metrics").raise_for_status().text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    found = [sample.labels for sample in samples if sample.name == "monitor_alert_open"]
    return {(labels["kind"], labels["subject"]) for labels in found if labels["problem"] == "iris"}


def shows(page: Page, kind: str, subject: str) -> bool:
    """Return whether the page tells of an alert, once it has asked again."""
    page.clock.run_for(POLL)
    words = {"feature_mean": f"Mean of {subject} ", "drift": f"{subject} has drifted"}[kind]
    return page.locator("#alerts tbody tr").filter(has_text=re.compile(words, re.IGNORECASE)).count() == 1


def test_drift_reaches_page_metrics_and_webhook_within_two_windows(
    lab: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stack.enter_context(part("api", lab))
        api = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{lab.api_port}"))
        wait_for("the version", lambda: served_version(api))
        stack.enter_context(part("monitor", lab))
        browser = stack.enter_context(chromium())
        page = stack.enter_context(visiting(browser, lab.monitor_page))("/?problem=iris")
        began = time.time()
        stack.enter_context(traffic(lab))
        wait_for("the metrics", lambda: open_alerts(lab) >= ALERTS)
        wait_for("the webhook", lambda: {(each["kind"], each["subject"]) for each in receiver.posted} >= ALERTS)
        for alert in ALERTS:
            wait_for(f"{alert} on the page", partial(shows, page, *alert))
        told_within = time.time() - began - BEFORE
        pictures = take_pictures(browser, lab.monitor_page, tmp_path, "overview")
    assert [file.name for file in pictures] == [picture.file for picture in variants("overview")]
    for file, picture in zip(pictures, variants("overview"), strict=True):
        with Image.open(file) as image:
            assert image.size == (picture.width, picture.height)
    # Of the two windows, and of what starts the traffic.
    assert told_within <= 2 * WINDOW.seconds + STARTING
    told = {(each["kind"], each["subject"]): each for each in receiver.posted}
    for alert in ALERTS:
        assert told[alert]["monitor"] == f"{lab.monitor_page}/?problem=iris"
        after = datetime.fromisoformat(told[alert]["began_at"]).timestamp() - began - BEFORE
        assert 0 < after <= 2 * WINDOW.seconds, told[alert]
