"""Judgements, the source and the trust of ground truths and suggestions, and pairs of versions on trusted truths."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MESSAGES = ("feedback", "suggestions")
NEW_COLUMNS = {
    "champions": ("because",),
    "feedback": ("problem", "source", "trusted"),
    "suggestions": ("source", "trusted", "quarantined_because", "judgement_id"),
}


def upgrade() -> None:
    """Make the tables and the columns; no old ground truth is trusted."""
    for table in MESSAGES:
        op.add_column(table, sa.Column("source", sa.Text))
        op.add_column(table, sa.Column("trusted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("champions", sa.Column("because", sa.Text))
    op.add_column("suggestions", sa.Column("quarantined_because", sa.Text))
    op.add_column("suggestions", sa.Column("judgement_id", sa.String(36)))
    _name_problems()
    _make_judgements()
    _make_pairs()


def downgrade() -> None:
    """Remove what `upgrade` made; a suggestion in quarantine stays out of finetune.csv as a refused one."""
    op.execute(
        "UPDATE suggestions SET refused_because = quarantined_because "
        "WHERE quarantined_because IS NOT NULL AND refused_because IS NULL"
    )
    op.drop_index("ix_feedback_problem_received_at", "feedback")
    for table, columns in NEW_COLUMNS.items():
        for column in columns:
            op.drop_column(table, column)
    op.drop_table("judgements")
    op.drop_table("paired_truths")


def _name_problems() -> None:
    op.add_column("feedback", sa.Column("problem", sa.String(64)))
    op.execute(
        "UPDATE feedback SET problem = (SELECT min(p.problem) FROM predictions p WHERE p.id = feedback.prediction_id)"
    )
    op.create_index("ix_feedback_problem_received_at", "feedback", ["problem", "received_at"])


def _make_judgements() -> None:
    op.create_table(
        "judgements",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("candidate", sa.String(16), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("flow_run_id", sa.String(36)),
    )
    op.create_index("ix_judgements_problem_judged_at", "judgements", ["problem", "judged_at"])


def _make_pairs() -> None:
    """Make the roll-up, with the labels that are counted by day already."""
    op.create_table(
        "paired_truths",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("model_name", sa.String(256), primary_key=True),
        sa.Column("champion_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("challenger_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("trusted", sa.Boolean, primary_key=True),
        sa.Column("champion_right", sa.Boolean, primary_key=True),
        sa.Column("challenger_right", sa.Boolean, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
    )
    key = "problem, model_name, champion_version, challenger_version"
    right = "champion_right, challenger_right"
    op.execute(
        f"INSERT INTO paired_truths ({key}, trusted, {right}, labels) "  # noqa: S608  # of our own words
        f"SELECT {key}, FALSE, {right}, sum(labels) FROM paired_counts GROUP BY {key}, {right}"
    )
