"""Pictures of the pages that a student hands in, taken with Chromium while the grader's servers run."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

WIDTH, HEIGHT = 1280, 900
LOAD_MS = 20_000
DRAW_MS = 1_500
INSTALL = "install Chromium (Debian: `apt-get install chromium`; elsewhere: `playwright install chromium`)"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class HandInPage:
    """A page of the hand-in list: the file's name without its ending, and the page's title."""

    name: str
    title: str


RUNS = HandInPage("f1", "Task 2: the runs in MLflow")
REGISTRY = HandInPage("f2", "Task 2: the registered model in MLflow")
DOCS = HandInPage("f3", "Task 3: the api's page /docs")
TARGETS = HandInPage("f4", "Task 4: the targets in Prometheus")
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
        try:
            yield found
        finally:
            if browser:
                browser.close()
