"""The monitor's tables, in the metadata of the store's others. Migration 0003 makes them."""

import sqlalchemy as sa

from common.store.tables import (
    UtcDateTime,
    attempt_columns,
    id_column,
    metadata,
    name_column,
    partial_index,
    predictions,
    problem_column,
)

# One row for each window that the monitor evaluated.
windows = sa.Table(
    "windows",
    metadata,
    problem_column(primary_key=True),
    sa.Column("ended_at", UtcDateTime, primary_key=True),
    sa.Column("began_at", UtcDateTime, nullable=False),
    name_column("model_name"),
    sa.Column("model_version", sa.Integer),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("outliers", sa.Integer, nullable=False),
    sa.Column("evaluation", sa.JSON, nullable=False),
)

# An alert is open as long as `ended_at` is null, and posted to the webhook once `posted_at` is set.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    problem_column(),
    sa.Column("kind", sa.String(32), nullable=False),
    name_column("subject"),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("posted_at", UtcDateTime),
    *attempt_columns(),
    sa.Index("ix_alerts_problem_began_at", "problem", "began_at"),
    sa.Index("ix_alerts_problem_kind", "problem", "kind"),
    partial_index("ix_alerts_open", "problem", condition="ended_at IS NULL"),
    partial_index("ix_alerts_unposted", "next_attempt_at", condition="posted_at IS NULL"),
)

# Batches of predictions for the external log: the rows of one problem, model and day.
exports = sa.Table(
    "exports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    problem_column(),
    name_column("model_name"),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("claimed_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    id_column("run_id"),
    sa.Index("ix_exports_problem_day", "problem", "day"),
)

# The time at which a prediction reached the external log.
EXPORTED_AT = sa.select(exports.c.finished_at).where(exports.c.id == predictions.c.export_id).scalar_subquery()
