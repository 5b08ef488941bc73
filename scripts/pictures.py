"""Pictures of a running monitor, for the documentation: `python -m scripts.pictures` writes docs/monitor-*.png."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Literal

from playwright.sync_api import Browser, Error, sync_playwright

from common.settings import PROJECT, SettingsError, load_settings

HEIGHT = 900


@dataclass(frozen=True)
class Picture:
    """A picture of one tab, in light or dark colours, `width` pixels wide; of its whole length, or of its beginning."""

    name: str
    path: str
    scheme: Literal["light", "dark"]
    width: int
    whole: bool = False


PICTURES = (
    Picture("overview", "/", "light", 1280),
    Picture("questions", "/", "light", 1400, whole=True),
    Picture("drift", "/tab/drift", "dark", 1280),
    Picture("phone", "/tab/comparison", "dark", 375),
)


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


def take_pictures(browser: Browser, host: str, folder: Path) -> list[Path]:
    """Write all pictures of the monitor at an address; return their files."""
    files = []
    for picture in PICTURES:
        page = browser.new_page(
            viewport={"width": picture.width, "height": HEIGHT}, color_scheme=picture.scheme, device_scale_factor=1
        )
        page.goto(f"{host}{picture.path}")
        page.wait_for_selector("html[data-ready=true]")
        files.append(folder / f"monitor-{picture.name}.png")
        page.screenshot(path=files[-1], full_page=picture.whole)
        page.close()
    return files


def main() -> None:
    """Take the pictures of the monitor that `make up` has started."""
    try:
        with chromium() as browser:
            for file in take_pictures(browser, load_settings().monitor_page, PROJECT / "docs"):
                print(f"{file}: written")
    except (Error, SettingsError) as error:
        sys.exit(f"pictures: {error}")


if __name__ == "__main__":
    main()
