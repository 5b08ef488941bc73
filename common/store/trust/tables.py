"""The tables of vetting and tracing, in the metadata of the store's others. Migration 0005 makes them."""

import sqlalchemy as sa

from common.store.tables import UtcDateTime, id_column, metadata, problem_column, suggestions

# The corrections that wait for a reviewer, in the order in which they came.
IN_QUARANTINE = (suggestions.c.withdrawn_because.is_(None), suggestions.c.quarantined_because.is_not(None))
sa.Index(
    "ix_suggestions_in_quarantine",
    *(suggestions.c[name] for name in ("problem", "received_at", "id")),
    sqlite_where=sa.text("withdrawn_because IS NULL AND quarantined_because IS NOT NULL"),
)

# Every change of a correction's state, as it happened. A correction that was erased keeps its history.
correction_events = sa.Table(
    "correction_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    id_column("suggestion_id", nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # A client's address, a key's name, or "lab".
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Index("ix_correction_events_suggestion_id", "suggestion_id", "id"),
)

# The verdict of the rules on a correction, and the reviewer's. `number` is the figure of the rule that decided.
vettings = sa.Table(
    "vettings",
    metadata,
    id_column("suggestion_id", primary_key=True),
    problem_column(),
    sa.Column("vetted_at", UtcDateTime, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("rule", sa.String(16), nullable=False),
    sa.Column("number", sa.Float),
    sa.Column("details", sa.JSON, nullable=False),
    # Equal rows have the same key. A network is a source without the part of its address that a client may choose.
    sa.Column("row_key", sa.String(32)),
    sa.Column("network", sa.Text),
    sa.Column("reviewer", sa.Text),
    sa.Column("reviewed_at", UtcDateTime),
    sa.Column("note", sa.Text),
    sa.Index("ix_vettings_problem_vetted_at", "problem", "vetted_at"),
    sa.Index("ix_vettings_problem_row_key", "problem", "row_key"),
    sa.Index("ix_vettings_problem_outcome", "problem", "outcome", "rule", "vetted_at", "suggestion_id"),
)

# Training rows of an anchor in two dimensions, as the background of pictures.
vetting_maps = sa.Table(
    "vetting_maps",
    metadata,
    problem_column(primary_key=True),
    sa.Column("anchor_version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("details", sa.JSON, nullable=False),
)

# All corrections that a version has learnt, not only the new ones.
version_corrections = sa.Table(
    "version_corrections",
    metadata,
    problem_column(primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    id_column("suggestion_id", primary_key=True),
    sa.Index("ix_version_corrections_suggestion_id", "suggestion_id"),
)

# Corrections that somebody took back. A withdrawal is open as long as `closed_at` is null.
withdrawals = sa.Table(
    "withdrawals",
    metadata,
    id_column("suggestion_id", primary_key=True),
    problem_column(),
    # Corrections that were taken back together have the same request.
    id_column("request_id", nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    # Whether the correction's features are to be erased once no file has them any more.
    sa.Column("erase", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    id_column("flow_run_id"),
    sa.Column("closed_at", UtcDateTime),
    # The version that serves without the correction, and how that came.
    sa.Column("version", sa.Integer),
    sa.Column("outcome", sa.Text),
    sa.Index("ix_withdrawals_problem_closed_at", "problem", "closed_at"),
)

# Persons' data that were erased on request: what went, and what could not.
erasures = sa.Table(
    "erasures",
    metadata,
    id_column("prediction_id", primary_key=True),
    problem_column(),
    sa.Column("erased_at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
)

# Replays of logged days on another version, which the page starts. One is open as long as `finished_at` is null.
replays = sa.Table(
    "replays",
    metadata,
    id_column("id", primary_key=True),
    problem_column(),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("done", sa.Integer, nullable=False, default=0, server_default=sa.text("0")),
    sa.Column("summary", sa.JSON),
    sa.Column("error", sa.Text),
    sa.Index("ix_replays_problem_requested_at", "problem", "requested_at"),
)
