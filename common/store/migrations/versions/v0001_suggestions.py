"""Suggestions. In stores older than migrations the table is there already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "suggestions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("class_name", sa.String(256), nullable=False),
        sa.Column("prediction_id", sa.String(36)),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flow_run_id", sa.String(36)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("row_number", sa.Integer),
        sa.Column("written", sa.Boolean, nullable=False),
        sa.Column("trained_version", sa.Integer),
        sa.Column("refused_because", sa.Text),
        if_not_exists=True,
    )
    op.create_index("ix_suggestions_problem_row", "suggestions", ["problem", "row_number"], if_not_exists=True)
