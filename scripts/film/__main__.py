"""Make the film of the first hour: pictures into docs/film/, and the page docs/first-hour.md."""

import argparse
import json
import signal
import sys
from pathlib import Path

from playwright.sync_api import Error

from common.problem import get_problem
from common.settings import PROJECT, SettingsError, load_settings
from scripts.demo_acts import minute_now
from scripts.demo_copy import DEMO, copy_project, of_copy, running_stack
from scripts.demo_steps import DemoError
from scripts.film.play import Facts, play
from scripts.film.story import FOLDER, SCENES, page
from scripts.monitor_key import monitor_header
from scripts.pictures import chromium, take_pictures
from scripts.ports import PortInUseError, check_free
from scripts.stack import on_own_servers

DOCS = PROJECT / "docs"
FACTS = "facts.json"
WINDOW_SECONDS = 30  # of the monitor: long enough that a picture of the newest window shows many rows


def film(folder: Path) -> Facts:
    """Play the film, and write its pictures into a folder; return its facts."""
    settings = on_own_servers(load_settings(problem="iris"))
    check_free(settings)
    copy_project(DEMO)
    settings = of_copy(settings, WINDOW_SECONDS)
    pages = {scene.name: f"{settings.monitor_page}{scene.path}?since={minute_now()}" for scene in SCENES}
    with running_stack(settings) as stack, chromium() as browser:

        def shoot(name: str) -> None:
            print(f"▶ {name}", flush=True)
            take_pictures(browser, pages[name], folder, name, monitor_header(settings))

        return play(get_problem(settings.problem), settings, stack, shoot)


def main() -> None:
    """Make the film, or write its page again with the facts of the last run."""
    parser = argparse.ArgumentParser(prog="python -m scripts.film", description=__doc__)
    parser.add_argument("--words", action="store_true", help="write the page alone, with the facts of the last run")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("film: stopped"))
    folder = DOCS / FOLDER
    folder.mkdir(exist_ok=True)
    try:
        if not arguments.words:
            facts = film(folder)
            (folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        written = page(json.loads((folder / FACTS).read_text(encoding="utf-8")))
        (DOCS / "first-hour.md").write_text(written, encoding="utf-8")
    except (DemoError, Error, PortInUseError, SettingsError, TimeoutError) as error:
        sys.exit(f"film: {error}; the logs are in {DEMO / '.lab' / 'logs'}")


if __name__ == "__main__":
    main()
