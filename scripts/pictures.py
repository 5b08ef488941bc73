"""Pictures of the monitor's page, for the documentation: a wide one and one of a phone, in light and dark colours.

`python -m scripts.pictures ADDRESS` photographs the overview of a running monitor: its timeline for docs/demo.png, and
the whole of it for docs/monitor-questions.png.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from shutil import which
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright

from common.settings import PROJECT, SettingsError, load_settings
from scripts.monitor_key import monitor_header

Scheme = Literal["light", "dark"]

SIZES = ((1400, 900), (375, 1300))  # width and height in pixels: of a laptop's screen, and of a phone's when scrolled
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
COLOURS = 96  # of a picture: enough for a page without photographs, and a third of the bytes
# All variants of a picture are to show the same state, so the page may not ask for a newer one.
NO_REFRESH = "window.setInterval = () => 0"
TIMELINE = "section.timeline"
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser: Debian's Chromium, or Chrome, or the one that `playwright install chromium` downloads."""
    program = which("chromium") or which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
        )
        yield browser
        browser.close()


@dataclass(frozen=True)
class Picture:
    """A picture of a page: its name, its size in pixels, and its colours."""

    name: str
    width: int
    height: int
    scheme: Scheme

    @property
    def file(self) -> str:
        """The name of its file, which tells width and colours."""
        return f"{self.name}-{self.width}-{self.scheme}.png"


def variants(name: str) -> list[Picture]:
    """Return all variants of a picture, light and dark ones side by side."""
    return [Picture(name, *size, scheme) for size, scheme in product(SIZES, SCHEMES)]


def take_pictures(
    browser: Browser, address: str, folder: Path, name: str, headers: Mapping[str, str] | None = None
) -> list[Path]:
    """Write all variants of a picture of a page, all of the same moment; return their files."""
    files = []
    with still(browser, address, headers) as page:
        for picture in variants(name):
            page.set_viewport_size({"width": picture.width, "height": picture.height})
            page.emulate_media(color_scheme=picture.scheme)
            files.append(folder / picture.file)
            files[-1].write_bytes(screenshot(page, page))
    return files


def take_overview(browser: Browser, address: str, folder: Path, headers: Mapping[str, str] | None = None) -> None:
    """Write wide, light pictures of the overview: of the timeline, and of the whole page."""
    with still(browser, address, headers) as page:
        width, height = SIZES[0]
        page.set_viewport_size({"width": width, "height": height})
        (folder / "demo.png").write_bytes(screenshot(page, page.locator(TIMELINE)))
        (folder / "monitor-questions.png").write_bytes(small(page.screenshot(animations="disabled", full_page=True)))


@contextmanager
def still(browser: Browser, address: str, headers: Mapping[str, str] | None = None) -> Iterator[Page]:
    """Yield a page that is drawn and does not change; `headers` have the key of a lab that has keys."""
    with browser.new_page(reduced_motion="reduce", extra_http_headers=dict(headers or {})) as page:
        page.add_init_script(NO_REFRESH)
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]")
        yield page


def screenshot(page: Page, what: Page | Locator) -> bytes:
    """Return what a page, or a part of it, shows now, as a small PNG file."""
    page.evaluate(DRAWN)
    return small(what.screenshot(animations="disabled"))


def small(png: bytes) -> bytes:
    """Return a picture with a palette of few colours."""
    written = io.BytesIO()
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def main() -> None:
    """Take the pictures of the overview."""
    parser = argparse.ArgumentParser(prog="python -m scripts.pictures", description=__doc__)
    parser.add_argument("address", help="of the page, such as the one that `make demo` prints while it stays open")
    arguments = parser.parse_args()
    try:
        with chromium() as browser:
            take_overview(browser, arguments.address, PROJECT / "docs", monitor_header(load_settings()))
    except (Error, SettingsError) as error:
        sys.exit(f"pictures: {error}")


if __name__ == "__main__":
    main()
