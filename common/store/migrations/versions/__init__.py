"""One file per step. alembic reads them; nothing imports them."""
