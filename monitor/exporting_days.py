"""Write days of the prediction log to EXPORT_PREDICTIONS; the retention job starts it before it deletes them.

A day that was written is noted in the store, and not written again. After a crash, the next run begins the day anew.
"""

import argparse
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

from common.exported_days import ExportError, Part, write_day
from common.settings import SettingsError, load_settings
from common.store import Store, StoreError


def export_days(store: Store, folder: str, problem: str, before: datetime, part: Part) -> int:
    """Write the days of a problem that end before a moment and are not written yet, oldest first; return how many.

    Raises:
        ExportError: the folder cannot be written.
        StoreError: the store does not answer.
    """
    days, done = store.retention.days, 0
    if (oldest := store.retention.oldest(problem)) is None:
        return 0
    written, day = days.exported(problem, part), oldest.date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) <= before:
        if day not in written:
            rows = write_day(folder, problem, day, part, days.chunks(problem, day, with_truth=part == "truths"))
            days.note_exported(problem, day, part, rows)
            done += 1
        day += timedelta(days=1)
    return done


def main() -> None:
    """Write the days that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m monitor.exporting_days", description=__doc__)
    parser.add_argument("problem")
    parser.add_argument(
        "before", type=_moment, help="a moment, in UTC unless it says otherwise: days that end before it go"
    )
    parser.add_argument("part", choices=("all", "truths"), help="all rows, or those with a ground truth")
    asked = parser.parse_args()
    try:
        settings = load_settings()
        with closing(Store(settings.database_url)) as store:
            done = export_days(store, settings.export_predictions, asked.problem, asked.before, asked.part)
        print(f"days written to {settings.export_predictions}: {done}")
    except (ExportError, StoreError, SettingsError) as error:
        sys.exit(f"export: {error}")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment such as 2026-11-27T00:00") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if found > datetime.now(UTC) + timedelta(days=1):
        raise argparse.ArgumentTypeError(f"{text!r} is more than a day ahead: days that have not come have no rows")
    return found


if __name__ == "__main__":
    main()
