"""Pictures of the pages that a student hands in, taken with Chromium while the grader's servers run."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

WIDTH, HEIGHT = 1280, 900
LOAD_MS = 20_000
DRAW_MS = 1_500
CLICK_MS = 1_000
# Panels and hints of MLflow that stand before its tables.
IN_THE_WAY = 'button:has-text("Got it"), button[aria-label="Close"], button[aria-label="Close panel"]'
SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
LOCAL = ("http://127.0.0.1:", "http://localhost:", "file:", "data:", "blob:")
INSTALL = "install Chromium (Debian: `apt-get install chromium`; elsewhere: `playwright install chromium`)"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class HandInPage:
    """A page of the hand-in list: the file's name without its ending, its title, and an element that it waits for."""

    name: str
    title: str
    shows: str = "body"


RUNS = HandInPage("f1", "Task 2: the runs in MLflow", 'a[href*="/runs/"]')
REGISTRY = HandInPage("f2", "Task 2: the registered model in MLflow")
DOCS = HandInPage("f3", "Task 3: the api's page /docs")
TARGETS = HandInPage("f4", "Task 4: `up` in Prometheus: 1 for each target that is scraped")
GRAPH = HandInPage("f5", "Task 4: the counter in Prometheus")
DASHBOARD = HandInPage("f6", "Task 4: the dashboard in Grafana")
FLOWS = HandInPage("f7", "Task 5: the flow runs in Prefect")
PAGES = (RUNS, REGISTRY, DOCS, TARGETS, GRAPH, DASHBOARD, FLOWS)
BY_HAND = {DASHBOARD: "the grader starts no Grafana: take the picture of your own"}


@dataclass
class HandIn:
    """The folder of what a student hands in; without a browser, it says which pictures are missing."""

    folder: Path | None
    taken: list[HandInPage] = field(default_factory=list)
    missing: dict[HandInPage, str] = field(default_factory=dict)
    _context: Any = None

    def take(self, page: HandInPage, address: str) -> None:
        """Write the picture of a page, or note why there is none; a picture never ends a grading."""
        if self.folder is None or page in self.taken:
            return
        if self._context is None:
            self.missing.setdefault(page, f"no browser here: {INSTALL}")
            return
        try:
            tab = self._context.new_page()
            with suppress(Exception):  # a page that polls is never idle
                tab.goto(address, wait_until="networkidle", timeout=LOAD_MS)
            with suppress(Exception):  # a page without it is a picture, too
                tab.wait_for_selector(page.shows, timeout=LOAD_MS)
            tab.wait_for_timeout(DRAW_MS)
            with suppress(Exception):  # nothing is in the way
                for _ in range(3):
                    tab.locator(IN_THE_WAY).first.click(timeout=CLICK_MS)
            tab.wait_for_timeout(DRAW_MS)
            tab.screenshot(path=self.folder / f"{page.name}.png")
            tab.close()
            self.taken.append(page)
        except Exception as error:  # noqa: BLE001 - of the browser, whatever it is
            self.missing[page] = str(error).splitlines()[0][:160]

    def list_markdown(self) -> str:
        """Return the hand-in list: each page with its picture, or with the reason why there is none."""
        lines = ["# Hand in", ""]
        for page in PAGES:
            if page in self.taken:
                lines += [f"## {page.title}", "", f"![{page.title}]({page.name}.png)", ""]
            else:
                reason = self.missing.get(page) or BY_HAND.get(page) or "the grader did not come as far as this page"
                lines += [f"## {page.title}", "", f"No picture `{page.name}.png`: {reason}.", ""]
        return "\n".join(lines)


@contextmanager
def hand_in(folder: Path | None) -> Iterator[HandIn]:
    """Open the browser for the pictures, if a folder is wanted and a browser is there."""
    found = HandIn(folder)
    if folder is None:
        yield found
        return
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (folder / f"{page.name}.png").unlink(missing_ok=True)
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        yield found
        return
    with sync_playwright() as playwright:
        browser = None
        with suppress(Error):
            program = next((path for name in NAMES if (path := which(name))), None)
            browser = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
            )
            found._context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})  # noqa: SLF001
            found._context.route("**/*", _only_local)  # noqa: SLF001
        try:
            yield found
        finally:
            if browser:
                browser.close()


def _only_local(route: Any) -> None:
    """Let the browser ask this machine only; the scripts of FastAPI's /docs come from a package, if it is there."""
    address = str(route.request.url)
    name = address.rpartition("/")[2]
    package = importlib.util.find_spec("fastapi_offline")
    if address.startswith(LOCAL):
        route.continue_()
    elif name in SWAGGER and package and package.submodule_search_locations:
        route.fulfill(path=Path(package.submodule_search_locations[0]) / "static" / name)
    else:
        route.abort()
