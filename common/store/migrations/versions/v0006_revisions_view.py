"""The view of predictions and what became of them."""

from alembic import op

from common.store.migrations.revisions_view import NAME, create_view

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the view."""
    op.execute(create_view(op.get_context().dialect.name))


def downgrade() -> None:
    """Remove the view; no data is lost."""
    op.execute(f"DROP VIEW {NAME}")
