"""The history of the champions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import champions

How = Literal["registered", "promoted", "rolled back"]


@dataclass(frozen=True)
class ChampionPeriod:
    """A version that became champion: since when, and how.

    `promoted` and `rolled back` are moves of the alias by the API; `registered` are all others: by training, by
    fine-tuning, or by a person in MLflow.
    """

    model_version: int
    since: datetime
    how: How
    because: str | None = None


class Champions(StorePart):
    """The moves of the alias `champion`, as the services saw them."""

    def note(self, model_name: str, model_version: int, how: How = "registered", because: str | None = None) -> None:
        """Write that a version is champion now; nothing changes if it was already, for this or another process.

        The process that moves the alias gives `how` and, if the judge decided, `because`, before or after other
        processes see the move.
        """
        with self._database.writing() as connection:
            newest = connection.execute(_history(model_name).limit(1)).mappings().first()
            if newest is None or newest["model_version"] != model_version:
                row = {"model_name": model_name, "model_version": model_version, "since": datetime.now(UTC)}
                connection.execute(champions.insert().values(row | {"how": how, "because": because}))
            elif how != "registered":
                this_row = champions.c.id == newest["id"]
                connection.execute(champions.update().where(this_row).values(how=how, because=because))

    def history(self, model_name: str, limit: int = 100) -> list[ChampionPeriod]:
        """Return the newest periods, oldest first."""
        found = self._database.read(_history(model_name).limit(limit))
        return records(ChampionPeriod, reversed(found))


def _history(model_name: str) -> sa.Select[tuple[int, str, int, datetime, str, str]]:
    # By id, not by time: somebody may set the clock back.
    return sa.select(champions).where(champions.c.model_name == model_name).order_by(champions.c.id.desc())
