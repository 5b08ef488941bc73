"""A page in headless Chromium: opening it, looking at its charts, and what nobody may be kept from."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, expect

from monitor.page.panels import Panel

POLL = 5_000
READY = "html[data-ready=true]"
PHONE, WIDE = {"width": 375, "height": 800}, {"width": 1400, "height": 900}

# How many pixels of a canvas have a colour.
PAINTED = """([id, colour]) => {
    const canvas = document.getElementById(id);
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        found += data[i + 3] === 255 && wanted.every((part, channel) => Math.abs(part - data[i + channel]) < 3);
    }
    return found;
}"""

Visit = Callable[..., Page]


@contextmanager
def visiting(browser: Browser, host: str, key: str = "") -> Iterator[Visit]:
    """Open paths of `host`, each in a profile of its own whose clock the test moves; `key` logs in there first.

    Nothing may go wrong there unless it is said: no error on the console, and no request to anybody else.
    """
    wrong: list[str] = []

    def heard(request: Request) -> None:
        if not request.url.startswith(host):
            wrong.append(request.url)

    def opened(path: str = "/", *, noisy: bool = False, ready: str = READY, key: str = key, **options: Any) -> Page:
        chosen = {"viewport": WIDE, "timezone_id": "UTC", **options}
        context = stack.enter_context(browser.new_context(base_url=host, **chosen))
        page = context.new_page()
        page.clock.install()
        page.on("request", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if not noisy:
            page.on("console", lambda message: wrong.append(message.text))
        page.goto(path)
        if key:
            page.get_by_label("Key").fill(key)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url(f"**{path}")
        if options.get("java_script_enabled", True):
            expect(page.locator(ready)).to_be_attached(timeout=20_000)  # Swagger's page is slow on a busy machine
        return page

    with ExitStack() as stack:
        yield opened
        assert wrong == []


def chart(page: Page, panel: str, expression: str) -> Any:
    """Evaluate an expression about `chart`."""
    return page.evaluate(f"(id) => {{ const chart = Chart.getChart(id); return {expression}; }}", f"chart-{panel}")


def assert_drawn(page: Page, panel: Panel) -> None:
    """The chart of a panel holds the labels and the series of the panel with the ends of their intervals."""
    columns = [column.name for column in panel.columns]
    values: dict[str | None, list[Any]] = {None: []}
    values |= zip(columns, map(list, zip(*panel.rows, strict=True)), strict=True)
    drawn = chart(page, panel.id, "chart.data.datasets.map((each) => [each.label, each.data, each.low, each.high])")
    assert drawn == [
        [each.label, *(values[end] for end in (each.name, each.low, each.high))] for each in panel.series()
    ]
    assert chart(page, panel.id, "chart.data.labels") == values[columns[0]]


def painted(page: Page, panel: str, *colours: str) -> bool:
    """Return whether a chart has painted at least 50 pixels with each colour, or nearly that one."""
    return all(page.evaluate(PAINTED, [f"chart-{panel}", colour]) >= 50 for colour in colours)


def assert_usable(page: Page, width: int) -> None:
    """All of it, opened, breaks none of axe's rules, and nothing is wider than the screen."""
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    found = Axe().run(page).response["violations"]
    broken = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    assert broken == [], broken
    assert page.evaluate("document.documentElement.scrollWidth") <= width
