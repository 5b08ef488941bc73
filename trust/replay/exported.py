"""The champion's rows of exported days, as a replay reads them from the log."""

from collections.abc import Iterator

from pydantic_core import from_json

from common.exported_days import read_days
from common.store.trust.replays import LoggedAnswer, ReplaySpan


def exported_chunks(folder: str, span: ReplaySpan, *, trusted_only: bool = False) -> Iterator[list[LoggedAnswer]]:
    """Yield the rows of a span in chunks, in the order of the days.

    A ground truth is the one that was known when the row left the log. With `trusted_only`, only those count that came
    with the key.

    Raises:
        ExportError: a file cannot be read.
    """
    for rows in read_days(folder, span.problem, span.since, span.until):
        found = [
            LoggedAnswer(
                row["id"],
                row["predicted_at"],
                from_json(row["features"]),
                row["model_version"],
                row["class_name"],
                row["confidence"],
                row["ground_truth"] if row["trusted"] or not trusted_only else None,
            )
            for row in rows
            if row["role"] == "champion"
        ]
        if found:
            yield found
