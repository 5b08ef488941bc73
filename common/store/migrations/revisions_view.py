"""The view `predictions_and_revisions`: each logged answer with what became of it; docs/sources.md has its columns.

Migration 0006 makes the view, and a new SQLite file gets it with its tables. When a later migration changes the view,
or a column that it names, copy the text of that time into 0006, and drop the view before the change.
"""

from typing import Any

import sqlalchemy as sa

NAME = "predictions_and_revisions"
READS = ("predictions", "feedback", "exports", "suggestions")

# A model's probabilities are stored by class, in the order of the classes: the place of the name is the index.
_PLACE = {
    "sqlite": """
        SELECT COUNT(before.id)
        FROM json_each(p.probabilities) AS this
        LEFT JOIN json_each(p.probabilities) AS before ON before.id < this.id
        WHERE this.key = p.class_name
        GROUP BY this.id""",
    "postgresql": """
        SELECT CAST(this.place - 1 AS INTEGER)
        FROM json_object_keys(p.probabilities) WITH ORDINALITY AS this (name, place)
        WHERE this.name = p.class_name""",
}
_KIND = {"sqlite": "json_type", "postgresql": "json_typeof"}


def create_view(dialect: str) -> str:
    """Return the statement that makes the view in SQLite or PostgreSQL."""
    return f"""
    CREATE VIEW {NAME} AS
    SELECT
        p.id AS prediction_id,
        p.problem,
        p.role,
        p.model_name,
        p.model_version,
        p.predicted_at,
        p.features,
        p.class_name AS predicted_class,
        CASE WHEN {_KIND[dialect]}(p.probabilities) = 'object' THEN ({_PLACE[dialect]}
        ) END AS predicted_class_index,
        p.confidence,
        p.is_outlier,
        p.outlier_score,
        f.prediction_id IS NOT NULL AS validated,
        f.class_name AS true_class,
        COALESCE(f.replaced_at, f.received_at) AS validated_at,
        x.finished_at IS NOT NULL AS logged,
        x.finished_at AS logged_at,
        EXISTS (
            SELECT 1 FROM suggestions AS s WHERE s.prediction_id = p.id AND s.trained_version IS NOT NULL
        ) AS trained,
        (SELECT MIN(s.trained_version) FROM suggestions AS s WHERE s.prediction_id = p.id) AS trained_version
    FROM predictions AS p
    LEFT JOIN feedback AS f ON f.prediction_id = p.id
    LEFT JOIN exports AS x ON x.id = p.export_id
    """  # noqa: S608  # no part of it comes from outside


def create_with_tables(metadata: sa.MetaData, connection: sa.Connection, **_: Any) -> None:
    """Make the view in a SQLite file whose tables were just made, if all tables that it reads are there."""
    if connection.dialect.name == "sqlite" and metadata.tables.keys() >= set(READS):
        connection.exec_driver_sql(create_view("sqlite").replace("CREATE VIEW", "CREATE VIEW IF NOT EXISTS", 1))
