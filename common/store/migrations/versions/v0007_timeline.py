"""Roll-ups by moment, filled from the log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MOMENT = sa.DateTime(timezone=True)
# As `common/store/timeline/tables.py` had them when this migration was written: lengths in seconds, and how long each
# is kept. SQLite stores moments as texts, whose beginning names the bucket.
KEPT = {10: timedelta(hours=2), 60: timedelta(days=2), 3_600: timedelta(days=90)}
BEGINNINGS = {10: (18, "0.000000"), 60: (16, r"\:00.000000"), 3_600: (13, r"\:00\:00.000000")}
KEY = "problem, model_name, seconds, began_at, model_version, role"
GROUP = "problem, model_name, began, model_version, role"


def upgrade() -> None:
    """Make the tables, and count what the log has.

    The counts are those that the store would have made, but for rows that somebody has erased since: the log does not
    have them any more, and only the roll-ups by day still count them.
    """
    op.create_table(
        "timeline_answers",
        *_bucket(),
        sa.Column("predictions", sa.Integer, nullable=False),
        sa.Column("outliers", sa.Integer, nullable=False),
    )
    op.create_table(
        "timeline_truths",
        *_bucket(),
        sa.Column("is_right", sa.Boolean, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
    )
    count_log(datetime.now(UTC))


def downgrade() -> None:
    """Remove the tables. The next upgrade counts the log again."""
    op.drop_table("timeline_truths")
    op.drop_table("timeline_answers")


def _bucket() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("model_name", sa.String(256), primary_key=True),
        sa.Column("seconds", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("began_at", MOMENT, primary_key=True),
        sa.Column("model_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), primary_key=True),
    )


def count_log(now: datetime) -> None:
    """Count the rows of the log that are younger than their buckets are kept."""
    for seconds, kept in KEPT.items():
        since = sa.bindparam("since", now - kept, MOMENT)
        for statement in (_answers(seconds), _truths(seconds)):
            op.get_bind().execute(sa.text(statement).bindparams(since))


def _answers(seconds: int) -> str:
    counts = "count(*), count(CASE WHEN is_outlier THEN 1 END)"
    return (
        f"INSERT INTO timeline_answers ({KEY}, predictions, outliers) "  # noqa: S608  # of our own words
        f"SELECT {_key(seconds)}, {counts} FROM ({_rows(seconds)}) AS p GROUP BY {GROUP}"
    )


def _truths(seconds: int) -> str:
    judged = "SELECT p.*, p.class_name = f.class_name AS is_right"
    return (
        f"INSERT INTO timeline_truths ({KEY}, is_right, labels) "  # noqa: S608  # of our own words
        f"SELECT {_key(seconds)}, is_right, count(*) FROM ({judged} FROM ({_rows(seconds)}) AS p "
        f"JOIN feedback f ON f.prediction_id = p.id) AS q GROUP BY {GROUP}, is_right"
    )


def _key(seconds: int) -> str:
    return KEY.replace("seconds", str(seconds)).replace("began_at", "began")


def _rows(seconds: int) -> str:
    # With the problem, the condition is a range of an index.
    return (
        f"SELECT *, {_began_at(seconds)} AS began FROM predictions "  # noqa: S608  # of our own words
        "WHERE problem IN (SELECT problem FROM prediction_counts) AND predicted_at >= :since"
    )


def _began_at(seconds: int) -> str:
    if op.get_bind().dialect.name == "sqlite":
        length, rest = BEGINNINGS[seconds]
        return f"substr(predicted_at, 1, {length}) || '{rest}'"
    return f"to_timestamp(floor(extract(epoch FROM predicted_at) / {seconds}) * {seconds})"
