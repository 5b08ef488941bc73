"""The documentation names only things that exist."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from common.settings import PROJECT, Settings
from monitor.monitor import create_app
from scripts.pictures import chromium
from tests.conftest import StartApi, served
from tests.monitor.page.browser import visiting
from tests.test_layers import RING_1, edges, in_room

DOCS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def test_every_setting_is_documented_and_no_other() -> None:
    table = (PROJECT / "docs" / "settings.md").read_text(encoding="utf-8").split("\n\n")[2]
    documented = set(re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    # A student's project has a Makefile of its own.
    files = (PROJECT / "Makefile", PROJECT / "lesson" / "project" / "Makefile")
    texts = "".join(file.read_text(encoding="utf-8") for file in files)
    targets = set(re.findall(r"^([a-z-]+):", texts, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )?make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_files_that_a_page_links_or_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    linked = {page.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text)}
    named = {PROJECT / name for name in re.findall(r"`((?:[a-z]+/)*[a-z_]+\.(?:py|md|sh|yaml))`", text)}
    known = {path.name for path in PROJECT.glob("[a-z]*/*.py")}
    assert not [path for path in linked | named if not path.exists() and path.name not in known]


def test_routes_and_metrics_that_the_pages_name_exist(offline: Settings, start_api: StartApi) -> None:
    pages = "".join(
        (PROJECT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/api.md", "docs/trust.md")
    )
    with start_api(offline) as client:
        paths = client.get("/openapi.json").raise_for_status().json()["paths"]
        metrics = client.get("/metrics").text
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    named = set(re.findall(r"`((?:GET|POST|DELETE) /[^`]*)`", pages))
    assert len(named) > 15
    assert named <= operations
    assert "predicted_class_name_total" in metrics


def documented_metrics(of: str) -> set[str]:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split(f"## Metrics of the {of}")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z0-9_]+)`", table, re.MULTILINE))


def shown_metrics(service: httpx.Client) -> set[str]:
    """Return the metrics of a service that are its own."""
    shown = set(re.findall(r"^# TYPE ([a-z0-9_]+) ", service.get("/metrics").text, re.MULTILINE))
    return {name for name in shown if not name.startswith(("http_", "process_")) and not name.endswith("_created")}


def test_every_metric_of_the_api_is_documented_and_no_other(lone_api: httpx.Client) -> None:
    assert documented_metrics("api") == shown_metrics(lone_api)


def test_every_metric_of_the_monitor_is_documented_and_no_other(offline: Settings) -> None:
    with served(create_app(offline)) as monitor:
        assert documented_metrics("monitor") == shown_metrics(monitor)


def test_swagger_needs_nothing_from_the_network(lone_api: httpx.Client, offline: Settings) -> None:
    with served(create_app(offline)) as monitor, chromium() as browser:
        for service, route, asked in (
            (lone_api, "/predict", "/predict/test"),
            (monitor, "/api/{tab}", "/api/problems"),
        ):
            with visiting(browser, str(service.base_url)) as visit:
                page = visit("/docs", ready=f".opblock-summary-path[data-path='{route}']")
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                # The page's own requests pass the walls against other pages.
                assert page.evaluate("(path) => fetch(path).then((answer) => answer.status)", asked) == 200


def test_the_readme_tree_names_every_top_level_entry_in_twenty_lines() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    tree = readme.split("## What is where")[1].split("```")[1].strip()
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    entries = {name.split("/")[0] for name in listed.splitlines() if not name.startswith(".")}
    assert {entry for entry in entries if entry not in tree} == set()
    assert len(tree.splitlines()) <= 20


def test_the_vocabulary_gives_each_word_once() -> None:
    words = re.findall(
        r"^\| ([a-z -]+) \|", (PROJECT / "docs" / "vocabulary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(words) == len(set(words)) > 20


def rooms_of_the_tour() -> set[str]:
    tour = (PROJECT / "docs" / "tour.md").read_text(encoding="utf-8").split("## Take away what you do not need")[1]
    first_cells = re.findall(r"^\| (`[^|]*) \|", tour, re.MULTILINE)
    return {name.rstrip("/") for cell in first_cells for name in re.findall(r"`([^`]*)`", cell)}


def test_the_tour_lists_every_room() -> None:
    assert rooms_of_the_tour() == {*RING_1, "benchmarks"}


def test_the_tour_names_the_rooms_that_need_another_room() -> None:
    tour = (PROJECT / "docs" / "tour.md").read_text(encoding="utf-8").split("## Take away what you do not need")[1]
    rows = {room: row for row in tour.splitlines() for room in RING_1 if re.match(rf"\|[^|]*`{room}/?`", row)}
    needs = {(in_room(file), in_room(imported)) for file, imported in edges()}
    between = [(room, needed) for room, needed in sorted(needs) if room and needed and room != needed]
    assert len(between) > 5
    assert [f"{room} needs {needed}" for room, needed in between if f"`{room}" not in rows[needed]] == []
