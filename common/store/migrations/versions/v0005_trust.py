"""Vetting and tracing: the history of corrections, their vetting, withdrawals, and the corrections of each version."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = (
    "correction_events",
    "vettings",
    "vetting_maps",
    "version_corrections",
    "withdrawals",
    "erasures",
    "replays",
)
QUEUE = "ix_suggestions_in_quarantine"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables and the column. Of older corrections and versions nothing is known."""
    op.add_column("suggestions", sa.Column("withdrawn_because", sa.Text))
    in_quarantine = sa.text("withdrawn_because IS NULL AND quarantined_because IS NOT NULL")
    op.create_index(
        QUEUE,
        "suggestions",
        ["problem", "received_at", "id"],
        sqlite_where=in_quarantine,
        postgresql_where=in_quarantine,
    )
    _make_history()
    _make_vettings()
    _make_lineage()
    _make_withdrawals()
    _make_replays()


def downgrade() -> None:
    """Remove what `upgrade` made; a withdrawn suggestion stays out of finetune.csv as a refused one."""
    op.execute(
        "UPDATE suggestions SET refused_because = withdrawn_because "
        "WHERE withdrawn_because IS NOT NULL AND refused_because IS NULL"
    )
    for table in TABLES:
        op.drop_table(table)
    op.drop_index(QUEUE, "suggestions")
    op.drop_column("suggestions", "withdrawn_because")


def _id(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), **options)


def _problem(**options: Any) -> sa.Column[str]:
    return sa.Column("problem", sa.String(64), **{"nullable": False, **options})


def _make_history() -> None:
    op.create_table(
        "correction_events",
        sa.Column("id", sa.Integer, primary_key=True),
        _id("suggestion_id", nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_correction_events_suggestion_id", "correction_events", ["suggestion_id", "id"])


def _make_vettings() -> None:
    op.create_table(
        "vettings",
        _id("suggestion_id", primary_key=True),
        _problem(),
        sa.Column("vetted_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(16), nullable=False),
        sa.Column("number", sa.Float),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("row_key", sa.String(32)),
        sa.Column("network", sa.Text),
        sa.Column("reviewer", sa.Text),
        sa.Column("reviewed_at", MOMENT),
        sa.Column("note", sa.Text),
    )
    op.create_index("ix_vettings_problem_vetted_at", "vettings", ["problem", "vetted_at"])
    op.create_index("ix_vettings_problem_row_key", "vettings", ["problem", "row_key"])
    order = ["problem", "outcome", "rule", "vetted_at", "suggestion_id"]
    op.create_index("ix_vettings_problem_outcome", "vettings", order)
    op.create_table(
        "vetting_maps",
        _problem(primary_key=True),
        sa.Column("anchor_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("details", sa.JSON, nullable=False),
    )


def _make_lineage() -> None:
    op.create_table(
        "version_corrections",
        _problem(primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        _id("suggestion_id", primary_key=True),
    )
    op.create_index("ix_version_corrections_suggestion_id", "version_corrections", ["suggestion_id"])


def _make_withdrawals() -> None:
    op.create_table(
        "withdrawals",
        _id("suggestion_id", primary_key=True),
        _problem(),
        _id("request_id", nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("erase", sa.Boolean, nullable=False, server_default=sa.false()),
        _id("flow_run_id"),
        sa.Column("closed_at", MOMENT),
        sa.Column("version", sa.Integer),
        sa.Column("outcome", sa.Text),
    )
    op.create_index("ix_withdrawals_problem_closed_at", "withdrawals", ["problem", "closed_at"])
    op.create_table(
        "erasures",
        _id("prediction_id", primary_key=True),
        _problem(),
        sa.Column("erased_at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )


def _make_replays() -> None:
    op.create_table(
        "replays",
        _id("id", primary_key=True),
        _problem(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("done", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("summary", sa.JSON),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_replays_problem_requested_at", "replays", ["problem", "requested_at"])
