"""The tables of the loop. A change here needs a migration beside it, and its number in SCHEMA.

The monitor's tables are in `monitoring/tables.py`, in the same metadata.
"""

from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

SCHEMA = "0007"  # the newest revision in migrations/versions/

Role = Literal["champion", "shadow"]
ROLES: tuple[Role, ...] = get_args(Role)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A date and time in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return the value for the database, in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return the value in UTC: SQLite stores no time zone, and PostgreSQL answers in the session's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def id_column(name: str, **options: Any) -> sa.Column[str]:
    """Return a column for ids of at most 36 characters."""
    return sa.Column(name, sa.String(36), **options)


def name_column(name: str, **options: Any) -> sa.Column[str]:
    """Return a column for names of at most 256 characters."""
    return sa.Column(name, sa.String(256), **{"nullable": False, **options})


def problem_column(**options: Any) -> sa.Column[str]:
    """Return the column for the name of the problem."""
    return sa.Column("problem", sa.String(64), **{"nullable": False, **options})


def attempt_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns that `RetryQueue` needs: the attempts so far, the time of the next, the last error."""
    return (
        sa.Column("attempts", sa.Integer, nullable=False, default=0),
        sa.Column("next_attempt_at", UtcDateTime, nullable=False),
        sa.Column("last_error", sa.Text),
    )


def _sender_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns that say from whom a message came: "key" or a client's address, and whether we trust it."""
    return (
        sa.Column("source", sa.Text),
        sa.Column("trusted", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    )


def partial_index(name: str, *columns: str, condition: str) -> sa.Index:
    """Return an index of the rows that meet a condition."""
    # The migrations make it partial on PostgreSQL, too. Naming the condition for PostgreSQL here would load
    # SQLAlchemy's PostgreSQL dialect into every process: 45 ms and 2 MB.
    return sa.Index(name, *columns, sqlite_where=sa.text(condition))


def _model_columns(*, key: bool) -> tuple[sa.Column[Any], ...]:
    return (
        problem_column(primary_key=key),
        name_column("model_name", primary_key=key),
        sa.Column("model_version", sa.Integer, primary_key=key, nullable=False, autoincrement=False),
    )


def _role_column() -> sa.Column[str]:
    return sa.Column("role", sa.String(16), primary_key=True)


def _day_column() -> sa.Column[Any]:
    return sa.Column("day", sa.Date, primary_key=True)


def _versions_columns() -> tuple[sa.Column[Any], ...]:
    return (
        problem_column(primary_key=True),
        name_column("model_name", primary_key=True),
        sa.Column("champion_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("challenger_version", sa.Integer, primary_key=True, autoincrement=False),
    )


def _right_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("champion_right", sa.Boolean, primary_key=True),
        sa.Column("challenger_right", sa.Boolean, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
    )


metadata = sa.MetaData()

# Every prediction. The challenger's row has the same id as the champion's, unless a client asked for this version.
predictions = sa.Table(
    "predictions",
    metadata,
    id_column("id", primary_key=True),
    _role_column(),
    *_model_columns(key=False),
    sa.Column("predicted_at", UtcDateTime, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    name_column("class_name"),
    sa.Column("probabilities", sa.JSON(none_as_null=True)),
    sa.Column("confidence", sa.Float),
    sa.Column("is_outlier", sa.Boolean),
    sa.Column("outlier_score", sa.Float),
    # The export to the external log that contains the row; null until then.
    sa.Column("export_id", sa.Integer),
    sa.Index("ix_predictions_problem_predicted_at", "problem", "predicted_at"),
    partial_index("ix_predictions_unexported", "problem", "predicted_at", condition="export_id IS NULL"),
    partial_index("ix_predictions_in_export", "export_id", condition="export_id IS NOT NULL"),
)

# The ground truth of a prediction, for all versions that answered it.
feedback = sa.Table(
    "feedback",
    metadata,
    id_column("prediction_id", primary_key=True),
    name_column("class_name"),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("replaced_at", UtcDateTime),
    # The prediction's: an index of both columns finds the newest ground truths of a problem.
    problem_column(nullable=True),
    *_sender_columns(),
    sa.Index("ix_feedback_problem_received_at", "problem", "received_at"),
)

# Roll-ups. The transaction that writes a row also counts it here. A day is the prediction's, in UTC.
prediction_counts = sa.Table(
    "prediction_counts",
    metadata,
    *_model_columns(key=True),
    _role_column(),
    _day_column(),
    name_column("class_name", primary_key=True),
    sa.Column("predictions", sa.Integer, nullable=False),
    sa.Column("outliers", sa.Integer, nullable=False),
)
confusion_counts = sa.Table(
    "confusion_counts",
    metadata,
    *_model_columns(key=True),
    _role_column(),
    _day_column(),
    name_column("true_class", primary_key=True),
    name_column("predicted_class", primary_key=True),
    sa.Column("labels", sa.Integer, nullable=False),
)
paired_counts = sa.Table(
    "paired_counts",
    metadata,
    *_versions_columns(),
    _day_column(),
    *_right_columns(),
)
# Labels of all days by whether the ground truth is trusted: the loop compares two versions on trusted ones.
paired_truths = sa.Table(
    "paired_truths",
    metadata,
    *_versions_columns(),
    sa.Column("trusted", sa.Boolean, primary_key=True),
    *_right_columns(),
)

# How many ground truths came for a day's predictions, and the sum of the seconds from prediction to ground truth.
label_delays = sa.Table(
    "label_delays",
    metadata,
    problem_column(primary_key=True),
    name_column("model_name", primary_key=True),
    _day_column(),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

# One row for each time that a version became champion.
champions = sa.Table(
    "champions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    name_column("model_name"),
    sa.Column("model_version", sa.Integer, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("how", sa.String(16), nullable=False),
    # The reason, if the judge moved the alias.
    sa.Column("because", sa.Text),
    sa.Index("ix_champions_model_name", "model_name"),
)

suggestions = sa.Table(
    "suggestions",
    metadata,
    id_column("id", primary_key=True),
    problem_column(),
    sa.Column("features", sa.JSON, nullable=False),
    name_column("class_name"),
    id_column("prediction_id"),
    sa.Column("received_at", UtcDateTime, nullable=False),
    # A suggestion is delivered once it has a flow run in Prefect.
    id_column("flow_run_id"),
    *attempt_columns(),
    # The row of finetune.csv that is reserved for the suggestion, and whether the file certainly has it.
    sa.Column("row_number", sa.Integer),
    sa.Column("written", sa.Boolean, nullable=False, default=False),
    # The judgement of the last candidates that had learnt it.
    id_column("judgement_id"),
    # One of the first two is set at the end; the third if somebody has to review it; the fourth if it was taken back.
    sa.Column("trained_version", sa.Integer),
    sa.Column("refused_because", sa.Text),
    sa.Column("quarantined_because", sa.Text),
    sa.Column("withdrawn_because", sa.Text),
    *_sender_columns(),
    sa.Index("ix_suggestions_problem_row", "problem", "row_number"),
    sa.Index("ix_suggestions_prediction_id", "prediction_id"),
    sa.Index("ix_suggestions_problem_received_at", "problem", "received_at"),
)

# The gate's verdicts on the candidates of a fine-tuning; `version` is the one that was registered from the candidate.
judgements = sa.Table(
    "judgements",
    metadata,
    id_column("id", primary_key=True),
    problem_column(),
    sa.Column("judged_at", UtcDateTime, nullable=False),
    sa.Column("verdict", sa.String(32), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("candidate", sa.String(16), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("outcome", sa.Text),
    id_column("flow_run_id"),
    sa.Index("ix_judgements_problem_judged_at", "problem", "judged_at"),
)
