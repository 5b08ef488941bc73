"""Predictions, their ground truths, the roll-ups of both, and the history of champions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_index("ix_suggestions_prediction_id", "suggestions", ["prediction_id"])
    _make_log()
    _make_rollups()
    op.create_table(
        "champions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model_name", sa.String(256), nullable=False),
        sa.Column("model_version", sa.Integer, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
    )
    op.create_index("ix_champions_model_name", "champions", ["model_name"])


def _make_log() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("problem", sa.String(64), nullable=False),
        sa.Column("model_name", sa.String(256), nullable=False),
        sa.Column("model_version", sa.Integer, nullable=False),
        sa.Column("predicted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("class_name", sa.String(256), nullable=False),
        sa.Column("probabilities", sa.JSON),
        sa.Column("confidence", sa.Float),
        sa.Column("is_outlier", sa.Boolean),
        sa.Column("outlier_score", sa.Float),
        sa.Column("exported_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_predictions_problem_predicted_at", "predictions", ["problem", "predicted_at"])
    op.create_table(
        "feedback",
        sa.Column("prediction_id", sa.String(36), primary_key=True),
        sa.Column("class_name", sa.String(256), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True)),
    )


def _make_rollups() -> None:
    op.create_table(
        "prediction_counts",
        *_model(),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("predictions", sa.Integer, nullable=False),
        sa.Column("outliers", sa.Integer, nullable=False),
    )
    op.create_table(
        "confusion_counts",
        *_model(),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("true_class", sa.String(256), primary_key=True),
        sa.Column("predicted_class", sa.String(256), primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
    )
    op.create_table(
        "paired_counts",
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("model_name", sa.String(256), primary_key=True),
        sa.Column("champion_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("challenger_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("champion_right", sa.Boolean, primary_key=True),
        sa.Column("challenger_right", sa.Boolean, primary_key=True),
        sa.Column("labels", sa.Integer, nullable=False),
    )


def _model() -> tuple[sa.Column[str], sa.Column[str], sa.Column[int], sa.Column[str]]:
    return (
        sa.Column("problem", sa.String(64), primary_key=True),
        sa.Column("model_name", sa.String(256), primary_key=True),
        sa.Column("model_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), primary_key=True),
    )
