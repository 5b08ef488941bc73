"""The options of commands that read a time of the log, or of the days that retention has exported."""

import argparse
from datetime import UTC, datetime, timedelta

from common.store.trust.replays import ReplaySpan
from trust.replay.replay import ReplayError


def add_span(parser: argparse.ArgumentParser) -> None:
    """Add the options for a time, a version, a problem, and the folder of exported days."""
    moment = "a day (YYYY-MM-DD), or a moment such as 2026-11-27T09:30, in UTC unless it says otherwise"
    parser.add_argument("--since", type=_moment, required=True, help=moment)
    parser.add_argument("--until", type=_until, required=True, help="the same; a day is included, a moment is not")
    parser.add_argument("--version", type=_version, required=True, metavar="N", help="a registered version")
    parser.add_argument("--problem", help="a file of problems/; default: PROBLEM")
    exported = "read the days that retention has exported to this folder, instead of the log"
    parser.add_argument("--exported", default="", metavar="FOLDER", help=exported)


def check_span(span: ReplaySpan) -> None:
    """Check that a time is not empty.

    Raises:
        ReplayError: it is.
    """
    if span.since >= span.until:
        raise ReplayError(f"the time is empty: {span.since:%Y-%m-%d %H:%M} is not before {span.until:%Y-%m-%d %H:%M}")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a day (YYYY-MM-DD) nor a moment") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _until(text: str) -> datetime:
    found = _moment(text)
    try:
        return found + timedelta(days=1) if len(text) <= len("YYYY-MM-DD") else found
    except OverflowError:
        raise argparse.ArgumentTypeError(f"{text!r} is too late") from None


def _version(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a version, such as 3")
    return int(text)
