"""The monitor's windows and alerts, exports to the external log, and the delays of ground truths."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, and the columns and indexes of what waits for its export."""
    op.add_column("predictions", sa.Column("export_id", sa.Integer))
    # No version of the lab wrote it: a row's export has the time at which it was finished.
    op.drop_column("predictions", "exported_at")
    _make_index("ix_predictions_unexported", ["problem", "predicted_at"], "export_id IS NULL")
    _make_index("ix_predictions_in_export", ["export_id"], "export_id IS NOT NULL")
    op.create_index("ix_suggestions_problem_received_at", "suggestions", ["problem", "received_at"])
    op.create_table(
        "label_delays",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("model_name", sa.String(256), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    _count_delays()
    _make_windows()
    _make_alerts()
    _make_exports()


def _count_delays() -> None:
    """Count the ground truths that the store already has, as it counts new ones."""
    if op.get_bind().dialect.name == "sqlite":
        day, late = "date(p.predicted_at)", "(julianday(f.received_at) - julianday(p.predicted_at)) * 86400.0"
        late = f"max({late}, 0.0)"
    else:
        day = "CAST(p.predicted_at AT TIME ZONE 'UTC' AS date)"
        late = "greatest(CAST(extract(epoch FROM f.received_at - p.predicted_at) AS double precision), 0.0)"
    op.execute(
        "INSERT INTO label_delays (problem, model_name, day, labels, seconds) "  # noqa: S608  # of our own words
        f"SELECT p.problem, p.model_name, {day}, count(*), sum({late}) FROM predictions p "
        "JOIN feedback f ON f.prediction_id = p.id WHERE p.role = 'champion' GROUP BY 1, 2, 3"
    )


def _make_index(name: str, columns: list[str], condition: str, table: str = "predictions") -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _make_windows() -> None:
    op.create_table(
        "windows",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_name", sa.String(256), nullable=False),
        sa.Column("model_version", sa.Integer),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("outliers", sa.Integer, nullable=False),
        sa.Column("evaluation", sa.JSON, nullable=False),
    )


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("ix_alerts_problem_began_at", "alerts", ["problem", "began_at"])
    op.create_index("ix_alerts_problem_kind", "alerts", ["problem", "kind"])
    _make_index("ix_alerts_open", ["problem"], "ended_at IS NULL", "alerts")
    _make_index("ix_alerts_unposted", ["next_attempt_at"], "posted_at IS NULL", "alerts")


def _make_exports() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("model_name", sa.String(256), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("run_id", sa.String(36)),
    )
    op.create_index("ix_exports_problem_day", "exports", ["problem", "day"])
