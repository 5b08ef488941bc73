"""The tables. A change here needs a migration beside it, and its number in SCHEMA."""

from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

SCHEMA = "0003"  # the newest revision in migrations/versions/

Role = Literal["champion", "shadow"]
ROLES: tuple[Role, ...] = get_args(Role)


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Say it in UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Say it in UTC again, which SQLite has forgotten and PostgreSQL turns into the session's time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), **options)


def _name(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(256), **{"nullable": False, **options})


def _model(*, key: bool) -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("problem", sa.String(64), primary_key=key, nullable=False),
        _name("model_name", primary_key=key),
        sa.Column("model_version", sa.Integer, primary_key=key, nullable=False, autoincrement=False),
        sa.Column("role", sa.String(16), primary_key=key, nullable=False),
    )


def _partial(name: str, *columns: str, condition: str) -> sa.Index:
    # PostgreSQL's are made so, too, by the migrations; to say it here would load its dialect: 45 ms and 2 MB.
    return sa.Index(name, *columns, sqlite_where=sa.text(condition))


metadata = sa.MetaData()

# Every answered prediction. The challenger's row has the id of the champion's, unless it was asked by its version.
predictions = sa.Table(
    "predictions",
    metadata,
    _id("id", primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),
    *(column for column in _model(key=False) if column.name != "role"),
    sa.Column("predicted_at", Moment, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    _name("class_name"),
    sa.Column("probabilities", sa.JSON(none_as_null=True)),
    sa.Column("confidence", sa.Float),
    sa.Column("is_outlier", sa.Boolean),
    sa.Column("outlier_score", sa.Float),
    # The export to the external log that has taken it.
    sa.Column("export_id", sa.Integer),
    sa.Index("ix_predictions_problem_predicted_at", "problem", "predicted_at"),
    # What waits, and what does not.
    _partial("ix_predictions_unexported", "problem", "predicted_at", condition="export_id IS NULL"),
    _partial("ix_predictions_in_export", "export_id", condition="export_id IS NOT NULL"),
)

# The truth about a prediction, whoever made it.
feedback = sa.Table(
    "feedback",
    metadata,
    _id("prediction_id", primary_key=True),
    _name("class_name"),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("replaced_at", Moment),
)

# Roll-ups, kept in the transactions that write what they count. Days are those of the predictions, in UTC.
prediction_counts = sa.Table(
    "prediction_counts",
    metadata,
    *_model(key=True),
    sa.Column("day", sa.Date, primary_key=True),
    _name("class_name", primary_key=True),
    sa.Column("predictions", sa.Integer, nullable=False),
    sa.Column("outliers", sa.Integer, nullable=False),
)
confusion_counts = sa.Table(
    "confusion_counts",
    metadata,
    *_model(key=True),
    sa.Column("day", sa.Date, primary_key=True),
    _name("true_class", primary_key=True),
    _name("predicted_class", primary_key=True),
    sa.Column("labels", sa.Integer, nullable=False),
)
paired_counts = sa.Table(
    "paired_counts",
    metadata,
    sa.Column("problem", sa.String(64), primary_key=True),
    _name("model_name", primary_key=True),
    sa.Column("champion_version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("challenger_version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("champion_right", sa.Boolean, primary_key=True),
    sa.Column("challenger_right", sa.Boolean, primary_key=True),
    sa.Column("labels", sa.Integer, nullable=False),
)

# How late truths came: those of the predictions of a day, and the seconds from prediction to truth, added up.
label_delays = sa.Table(
    "label_delays",
    metadata,
    sa.Column("problem", sa.String(64), primary_key=True),
    _name("model_name", primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

# What the monitor found in each window of time.
windows = sa.Table(
    "windows",
    metadata,
    sa.Column("problem", sa.String(64), primary_key=True),
    sa.Column("ended_at", Moment, primary_key=True),
    sa.Column("began_at", Moment, nullable=False),
    _name("model_name"),
    sa.Column("model_version", sa.Integer),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("outliers", sa.Integer, nullable=False),
    sa.Column("evaluation", sa.JSON, nullable=False),
)

# Episodes in which something was out of bounds; open as long as `ended_at` is null.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("problem", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    _name("subject"),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    # The webhook: posted once; until then, when to try next and what went wrong.
    sa.Column("posted_at", Moment),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_attempt_at", Moment, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Index("ix_alerts_problem_began_at", "problem", "began_at"),
    sa.Index("ix_alerts_problem_kind", "problem", "kind"),
    _partial("ix_alerts_open", "problem", condition="ended_at IS NULL"),
    _partial("ix_alerts_unposted", "next_attempt_at", condition="posted_at IS NULL"),
)

# Batches of predictions on their way to the external log: rows of one problem and day.
exports = sa.Table(
    "exports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("problem", sa.String(64), nullable=False),
    _name("model_name"),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("claimed_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    _id("run_id"),
    sa.Index("ix_exports_problem_day", "problem", "day"),
)

# Who was champion since when, and how it became that.
champions = sa.Table(
    "champions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _name("model_name"),
    sa.Column("model_version", sa.Integer, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("how", sa.String(16), nullable=False),
    sa.Index("ix_champions_model_name", "model_name"),
)

suggestions = sa.Table(
    "suggestions",
    metadata,
    _id("id", primary_key=True),
    sa.Column("problem", sa.String(64), nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    _name("class_name"),
    _id("prediction_id"),
    sa.Column("received_at", Moment, nullable=False),
    # The outbox: delivered once there is a flow run; until then, when to try next and what went wrong.
    _id("flow_run_id"),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_attempt_at", Moment, nullable=False),
    sa.Column("last_error", sa.Text),
    # The row of finetune.csv that is kept for it, and whether it has certainly been written there.
    sa.Column("row_number", sa.Integer),
    sa.Column("written", sa.Boolean, nullable=False, default=False),
    # How it ended.
    sa.Column("trained_version", sa.Integer),
    sa.Column("refused_because", sa.Text),
    sa.Index("ix_suggestions_problem_row", "problem", "row_number"),
    sa.Index("ix_suggestions_prediction_id", "prediction_id"),
    sa.Index("ix_suggestions_problem_received_at", "problem", "received_at"),
)
