"""Write the monitor's report as one HTML file that needs nothing else: `make report`, or `python -m scripts.report`."""

import argparse
import re
import sys
from pathlib import Path

import httpx

from common.files import write_atomic
from common.settings import Settings, SettingsError, load_settings

SECONDS = 20.0
STYLE = re.compile(r'<link rel="stylesheet" href="(/static/[a-z.]+)">')
ICON = re.compile(r'\s*<link rel="icon"[^>]*>')
NAME = "report.html"


class ReportError(RuntimeError):
    """The monitor gives no report."""


def fetch_report(monitor: str, problem: str, since: str = "", until: str = "") -> str:
    """Return the report of a problem as HTML, with its style in it.

    Args:
        monitor: the address of the monitor's page.
        problem: the problem's name.
        since: the first day or moment; "" for the monitor's default.
        until: the last one; "" for now.

    Raises:
        ReportError: no monitor answers there, or it refuses the query; the message says which.
    """
    query = {"problem": problem, **({"since": since} if since else {}), **({"until": until} if until else {})}
    try:
        with httpx.Client(base_url=monitor, timeout=SECONDS) as client:
            page = client.get("/report", params=query)
            if not page.is_success:
                raise ReportError(f"the monitor at {monitor} answers {page.status_code}: {_reason(page)}")
            text = ICON.sub("", page.text)
            return STYLE.sub(lambda link: f"<style>{client.get(link[1]).raise_for_status().text}</style>", text)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ReportError(f"no monitor answers at {monitor}: start it with `make up`") from error


def write_report(settings: Settings, since: str = "", until: str = "") -> Path:
    """Write the report of the configured problem, whole or not at all; return its file.

    Raises:
        ReportError: as `fetch_report`.
    """
    file = settings.state_dir / NAME
    write_atomic(file, fetch_report(settings.monitor_page, settings.problem, since, until).encode())
    return file


def _reason(page: httpx.Response) -> str:
    try:
        return str(page.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return page.reason_phrase


def main() -> None:
    """Write the report, and print its place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default="", help="first day or moment in UTC (default: as the monitor's page)")
    parser.add_argument("--until", default="", help="last one (default: now)")
    asked = parser.parse_args()
    try:
        print(f"{write_report(load_settings(), asked.since, asked.until)}: written; it prints to one page")
    except (ReportError, SettingsError, OSError) as error:
        sys.exit(f"report: {error}")


if __name__ == "__main__":
    main()
