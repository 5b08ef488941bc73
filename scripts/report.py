"""Write the monitor's report as one HTML file that needs nothing else: `make report`, or `python -m scripts.report`."""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from common.files import write_atomic
from common.settings import Settings, SettingsError, load_settings
from scripts.monitor_key import monitor_header

SECONDS = 20.0
STYLE = re.compile(r'<link rel="stylesheet" href="(/static/[a-z.]+)">')
ICON = re.compile(r'\s*<link rel="icon"[^>]*>')
NAME = "report.html"
NO_KEY = 401  # the status of an answer


class ReportError(RuntimeError):
    """The monitor gives no report."""


def fetch_report(
    monitor: str, problem: str, since: str = "", until: str = "", headers: Mapping[str, str] | None = None
) -> str:
    """Return the report of a problem as HTML, with its style in it.

    Args:
        monitor: the address of the monitor's page.
        problem: the problem's name.
        since: the first day or moment; "" for the monitor's default.
        until: the last one; "" for now.
        headers: the key of a lab that has keys.

    Raises:
        ReportError: no monitor answers there, or it refuses the query; the message says which.
    """
    query = {"problem": problem, **({"since": since} if since else {}), **({"until": until} if until else {})}
    try:
        with httpx.Client(base_url=monitor, timeout=SECONDS, headers=headers) as client:
            page = client.get("/report", params=query)
            if not page.is_success:
                way = ": set API_KEY to a key of the lab" if page.status_code == NO_KEY else ""
                raise ReportError(f"the monitor at {monitor} answers {page.status_code}: {_reason(page)}{way}")
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
    report = fetch_report(settings.monitor_page, settings.problem, since, until, monitor_header(settings))
    write_atomic(file, report.encode())
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
