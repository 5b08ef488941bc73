"""The page in a browser."""

import csv
import re
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from monitor.page.panels import Panel
from scripts.parts import wait_for
from tests.monitor.page.browser import PHONE, POLL, READY, WIDE, Visit, assert_drawn, assert_usable, chart, painted
from tests.monitor.page.samples import ALWAYS, Shown

CHARTS = ("accuracy", "classes", "volume-by-day", "windows", "shares")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/tab/predictions", "/tab/empty", "/tab/nowhere"])
def test_everybody_can_use_it_everywhere(visit: Visit, path: str, scheme: str, viewport: dict[str, int]) -> None:
    page = visit(path, viewport=viewport, color_scheme=scheme, noisy=path == "/tab/nowhere")
    assert_usable(page, viewport["width"])


def test_charts_hold_the_numbers_of_their_panels(visit: Visit, client: httpx.Client) -> None:
    page = visit()
    panels = {panel["id"]: Panel(**panel) for panel in client.get("/api/overview").json()["panels"]}
    for name in CHARTS:
        assert_drawn(page, panels[name])


def test_charts_are_painted_in_colours_that_follow_the_scheme_at_once(visit: Visit) -> None:
    page = visit(color_scheme="light")
    for name in CHARTS:
        assert painted(page, name, "#0072b2", "#d55e00"), name
    page.emulate_media(color_scheme="dark")
    for name in CHARTS:
        wait_for(f"dark colours of {name}", partial(painted, page, name, "#56b4e9", "#e69f00"), within=5)
        assert not painted(page, name, "#0072b2")


def test_intervals_are_within_the_scales_of_their_charts(visit: Visit) -> None:
    page = visit()
    for name in ("accuracy", "classes"):
        lowest = chart(
            page, name, "Math.min(...chart.data.datasets.flatMap((each) => each.low.filter((v) => v !== null)))"
        )
        assert chart(page, name, "chart.scales.y.min") <= lowest
        assert chart(page, name, "chart.scales.y.max") == 1
    assert chart(page, "classes", "chart.scales.y.min") == 0


def test_a_chart_describes_its_content_and_has_a_table(visit: Visit) -> None:
    page = visit()
    drawing = page.get_by_role("img", name="Bar chart: Precision and recall by class")
    expect(drawing).to_have_accessible_name(re.compile("Recall: Iris-setosa 98.0 %, Iris-versicolor 96.7 %"))
    panel = page.locator("#classes")
    expect(panel.get_by_role("table")).to_be_hidden()
    panel.get_by_text("Table").click()
    row = panel.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Iris-virginica"))
    expect(row.get_by_role("cell")).to_have_text(["94.0 % (91.0–95.5)", "90.0 % (87.0–91.5)"])


def tooltip(page: Page, panel: str) -> Any:
    """Return title and body of the tooltip of a chart's second value."""
    hovered = """(() => {
        chart.tooltip.setActiveElements([{ datasetIndex: 0, index: 1 }], { x: 0, y: 0 });
        chart.update();
        return { title: chart.tooltip.title, body: chart.tooltip.body };
    })()"""
    return chart(page, panel, hovered)


def test_a_tooltip_says_value_and_interval(visit: Visit) -> None:
    page = visit()
    assert tooltip(page, "classes")["body"][0]["lines"] == ["Precision: 93.0 % (90.0–94.5)"]


def test_days_and_moments_are_short_on_the_axis_and_whole_in_the_tooltip(visit: Visit) -> None:
    page = visit("/?since=2026-11-01&until=2026-11-20")
    assert chart(page, "accuracy", "chart.scales.x.ticks[0].label") == "Nov 1"
    assert chart(page, "windows", "chart.scales.x.ticks[0].label") == "Nov 22, 06:00"
    assert tooltip(page, "accuracy")["title"] == ["2026-11-02"]
    assert tooltip(page, "windows")["title"] == ["2026-11-22 06:01:30"]
    page = visit("/?since=2026-11-01&until=2026-11-20", timezone_id="Australia/Darwin")
    assert chart(page, "windows", "chart.scales.x.ticks[0].label") == "Nov 22, 15:30"
    assert tooltip(page, "windows")["title"] == ["2026-11-22 15:31:30", "2026-11-22 06:01:30 UTC"]


def test_figures_are_shown_with_their_intervals(visit: Visit) -> None:
    figure = visit().locator("#figures dl > div").first
    expect(figure.locator("dt")).to_have_text("Accuracy")
    expect(figure.locator("dd")).to_have_text(["96.7 %", "93.7–98.2", "of 412 labelled"])


def test_an_empty_panel_gives_advice(visit: Visit) -> None:
    panel = visit("/tab/empty").get_by_role("region", name="Nothing yet")
    expect(panel.get_by_text(ALWAYS)).to_be_visible()
    expect(panel.get_by_role("link")).to_have_count(0)


def test_the_filter_is_in_the_url_and_every_tab_keeps_it(visit: Visit, shown: Shown) -> None:
    page = visit()
    page.get_by_label("From").fill("2026-11-01T00:00")
    page.get_by_label("To", exact=True).fill("2026-11-09T23:59")
    page.get_by_label("v3").check()
    page.get_by_label("v4").check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(
        re.compile(r"/\?problem=iris&since=2026-11-01T00%3A00&until=2026-11-09T23%3A59&version=4&version=3$")
    )
    expect(page.locator(READY)).to_be_attached()
    assert len(chart(page, "accuracy", "chart.data.labels")) == 9
    page.get_by_role("link", name="Metrics", exact=True).click()
    expect(page).to_have_url(re.compile(r"/tab/metrics\?.*since=2026-11-01.*version=4&version=3$"))
    expect(page.get_by_role("link", name="Metrics", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_label("v3")).to_be_checked()
    expect(page.get_by_label("v1")).not_to_be_checked()
    assert shown.asked[-1].versions == [3, 4]


def test_days_that_nobody_has_chosen_go_on_with_the_clock(visit: Visit) -> None:
    page = visit()
    page.get_by_label("v3").check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/\?problem=iris&version=3$"))


def test_another_problem_begins_with_all_its_versions(visit: Visit, shown: Shown) -> None:
    page = visit("/?version=3")
    page.get_by_label("Problem").select_option("breast_cancer")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_title(re.compile("breast_cancer"))
    expect(page.get_by_role("checkbox")).to_have_count(1)
    expect(page.get_by_label("v2")).not_to_be_checked()
    assert (shown.asked[-1].problem, shown.asked[-1].versions) == ("breast_cancer", [])


def test_a_range_of_days_ends_today_and_keeps_the_rest(visit: Visit, shown: Shown) -> None:
    page = visit("/?version=3&until=2026-01-01")
    page.get_by_role("link", name="7 d", exact=True).click()
    page.wait_for_url(re.compile(r"version=3"))
    assert (shown.asked[-1].until - shown.asked[-1].since).days == 6
    assert shown.asked[-1].until.year >= 2026
    assert "until" not in page.url


def test_predictions_are_searched_by_id(visit: Visit, shown: Shown) -> None:
    page = visit("/tab/predictions")
    page.get_by_label("Id", exact=True).fill("0a1b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="0a1b-0000")).to_be_visible()
    assert shown.asked[-1].id == "0a1b"
    page.get_by_role("link", name="Overview").click()
    expect(page).to_have_url(re.compile(r"/\?problem=iris$"))


def test_a_table_comes_as_csv_of_the_filtered_rows(visit: Visit) -> None:
    page = visit("/?since=2026-11-01&until=2026-11-03")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of Accuracy by day").click()
    assert download.value.suggested_filename == "iris-overview-accuracy.csv"
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["Day"] for row in rows] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert rows[-1]["Champion"] == "0.967"


def test_numbers_change_in_place(visit: Visit, shown: Shown) -> None:
    page = visit(viewport=PHONE)
    summary = page.locator("#classes summary")
    summary.click()
    page.evaluate("window.before = [Chart.getChart('chart-classes'), document.activeElement]")
    table = page.get_by_label("Table: Precision and recall by class")
    table.evaluate("(each) => { each.scrollLeft = 30; }")
    before, height = page.locator("#updated").get_attribute("datetime"), page.evaluate("scrollY")
    assert height > 0
    shown.accuracy, shown.predictions = 0.5, 1205
    page.clock.run_for(POLL)
    expect(page.locator("#figures dd.value").first).to_have_text("50.0 %")
    expect(page.locator("#volumes dd.value").first).to_have_text("1,205")
    expect(table.get_by_role("row").nth(2)).to_contain_text("50.0 % (47.0–51.5)")
    assert chart(page, "classes", "chart.data.datasets[1].data") == [0.98, 0.5, 0.9]
    assert chart(page, "classes", "window.before[0] === chart && window.before[1] === document.activeElement")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert table.evaluate("(each) => each.scrollLeft") == 30
    assert page.evaluate("scrollY") == height
    assert page.locator("#updated").get_attribute("datetime") != before
    expect(page.get_by_role("img", name=re.compile("Iris-versicolor 50.0 %"))).to_be_attached()


def test_an_empty_panel_fills_without_reload_and_other_charts_stay(visit: Visit, shown: Shown) -> None:
    page = visit("/tab/empty")
    page.evaluate("window.before = Chart.getChart('chart-classes')")
    shown.filled = True
    page.clock.run_for(POLL)
    expect(page.get_by_role("table", include_hidden=False)).to_have_count(1)
    expect(page.get_by_text(ALWAYS)).to_have_count(0)
    assert chart(page, "classes", "window.before === chart && chart.canvas.isConnected")


def test_a_chart_that_leaves_the_page_is_forgotten(visit: Visit, shown: Shown) -> None:
    page = visit("/")
    assert page.evaluate("Object.keys(Chart.instances).length") == len(CHARTS)
    page.locator("#classes").evaluate("(each) => each.remove()")
    page.evaluate("window.before = Chart.getChart('chart-accuracy')")
    shown.predictions = 7
    page.clock.run_for(POLL)
    expect(page.locator("#volumes dd.value").first).to_have_text("7")
    expect(page.locator("#classes canvas")).to_be_attached()
    assert page.evaluate("Object.keys(Chart.instances).length") == len(CHARTS)
    assert chart(page, "accuracy", "window.before === chart")


def test_a_page_that_nobody_sees_asks_for_nothing(visit: Visit) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.clock.run_for(4 * POLL)
    assert asked == []
    with page.expect_response(page.url):
        page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_while_the_store_is_away_the_page_shows_its_last_content_and_a_notice(visit: Visit, shown: Shown) -> None:
    page = visit(noisy=True)
    read_at = page.locator("#updated").inner_text()
    notice = page.get_by_role("status")
    expect(notice).to_have_text("")
    shown.fails = True
    page.clock.run_for(POLL)
    expect(notice).to_contain_text("The monitor cannot read the store.")
    expect(notice).to_contain_text(f"This page shows what it read at {read_at}.")
    expect(page.locator("#figures dd.value").first).to_have_text("96.7 %")
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    shown.fails, shown.accuracy = False, 0.5
    page.clock.run_for(POLL)
    expect(notice).to_have_text("")
    expect(page.locator("#figures dd.value").first).to_have_text("50.0 %")


def test_a_page_that_was_opened_while_the_store_was_away_heals(visit: Visit, shown: Shown) -> None:
    shown.fails = True
    page = visit(noisy=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("This page cannot be shown now")
    shown.fails = False
    page.clock.run_for(POLL)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page).to_have_title("Overview · iris · Monitor")
    assert chart(page, "classes", "chart.data.labels.length") == 3


def test_while_the_monitor_is_away_the_page_says_so(visit: Visit) -> None:
    page = visit(noisy=True)
    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(POLL)
    expect(page.get_by_role("status")).to_contain_text("The monitor does not answer.")
    page.unroute("**/*")
    page.clock.run_for(POLL)
    expect(page.get_by_role("status")).to_have_text("")


def test_without_scripts_the_tables_are_there(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator(".chart").first).to_be_hidden()
    panel = page.locator("#accuracy")
    panel.get_by_text("Table").click()
    expect(panel.get_by_role("row")).to_have_count(31)
    expect(page.locator("#confusion").get_by_role("cell", name="122")).to_be_visible()


def test_the_keyboard_reaches_the_content_past_the_navigation(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="CSV of How well it does")).to_be_focused()


def test_times_are_the_readers_with_utc_on_hover_and_forms_send_utc(visit: Visit) -> None:
    page = visit("/tab/metrics?since=2026-03-01T10:00&until=2026-03-01T11:00", timezone_id="Australia/Darwin")
    expect(page.locator("#zone")).to_have_text("your time zone, Australia/Darwin; hover over one to see UTC")
    since = page.get_by_role("region", name="Timeline").locator("#reading time").first
    for _ in range(2):
        expect(since).to_have_attribute("title", "2026-03-01 00:00:00 UTC")
        expect(since).to_have_text("2026-03-01 09:30:00")
        expect(page.get_by_label("From")).to_have_value("2026-03-01T19:30")
        page.clock.run_for(POLL)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"since=2026-03-01T10%3A00&until=2026-03-01T11%3A00$"))


def test_the_strip_tells_the_numbers_under_the_pointer_and_its_marks_lead_to_their_pages(visit: Visit) -> None:
    page = visit("/?span=1h")
    strip = page.get_by_role("region", name="Timeline")
    expect(strip.get_by_role("img")).to_have_accessible_name(re.compile(r"^1 predictions, not enough ground truths"))
    bucket = strip.locator(".hover").last
    bucket.dispatch_event("pointerover", {"bubbles": True})
    expect(strip.locator("#hovered")).to_have_text(re.compile(r"^\d{4}-.* to .*: \d predictions?"))
    expect(strip.locator("#reading")).to_be_hidden()
    strip.dispatch_event("pointerover", {"bubbles": True})
    expect(strip.locator("#reading")).to_be_visible()
    expect(strip.get_by_text("and 0 are there")).to_be_visible()
    strip.get_by_text("Tables").click()
    event = strip.get_by_role("row").filter(has_text="Version 3 began to serve")
    path = event.get_by_role("link").get_attribute("href")
    assert path == strip.locator("svg a").first.get_attribute("href") == "/lineage/versions/3?problem=iris"


def test_without_scripts_the_strip_is_there_and_its_times_are_in_utc(visit: Visit) -> None:
    page = visit("/?span=1h", java_script_enabled=False, timezone_id="Asia/Kolkata")
    strip = page.get_by_role("region", name="Timeline")
    expect(strip.locator(".bar")).to_have_count(1)
    expect(page.get_by_text("Times are in UTC.")).to_be_visible()
    expect(page.get_by_role("link", name="1 h", exact=True)).to_have_attribute("aria-current", "true")
    read_at = datetime.fromisoformat(page.locator("#updated").get_attribute("datetime") or "")
    assert page.locator("#updated").inner_text() == f"{read_at:%H:%M:%S} UTC"
