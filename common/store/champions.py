"""Who was champion when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa

from common.store.database import Database
from common.store.tables import champions

How = Literal["registered", "promoted", "rolled back"]


@dataclass(frozen=True)
class Reign:
    """A version that became champion: since when, and how.

    `registered`: training, fine-tuning, or a hand in MLflow moved the alias; `promoted` and `rolled back`: the api did.
    """

    model_version: int
    since: datetime
    how: How


class Champions:
    """The history of the alias `champion`, as the services have seen it."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._database = database

    def note(self, model_name: str, model_version: int, how: How = "registered") -> None:
        """Note that a version is champion now. Seen again, by this or another process, it is no new entry.

        Whoever has moved the alias tells how, before or after others have seen the move.
        """
        with self._database.writing() as connection:
            newest = connection.execute(_history(model_name).limit(1)).mappings().first()
            if newest is None or newest["model_version"] != model_version:
                row = {"model_name": model_name, "model_version": model_version, "since": datetime.now(UTC), "how": how}
                connection.execute(champions.insert().values(row))
            elif how != "registered":
                connection.execute(champions.update().where(champions.c.id == newest["id"]).values(how=how))

    def changes(self) -> dict[tuple[str, How], int]:
        """Return how many reigns began in each way, by model name and way."""
        c = champions.c
        query = sa.select(c.model_name, c.how, sa.func.count().label("reigns")).group_by(c.model_name, c.how)
        return {(row["model_name"], row["how"]): row["reigns"] for row in self._database.read(query)}

    def history(self, model_name: str, limit: int = 100) -> list[Reign]:
        """Return the newest reigns, oldest first."""
        found = self._database.read(_history(model_name).limit(limit))
        return [Reign(row["model_version"], row["since"], row["how"]) for row in reversed(found)]


def previous_champion(history: Sequence[Reign]) -> int | None:
    """Return the version that a rollback restores: who was champion before the present one came; None if nobody was.

    A rollback takes its reign back, so that the next one goes further into the past and not to what was left.
    """
    reigns: list[int] = []
    for reign in history:
        if reign.how == "rolled back" and reign.model_version in reigns:
            while reigns[-1] != reign.model_version:
                reigns.pop()
        else:
            reigns.append(reign.model_version)
    return reigns[-2] if len(reigns) > 1 else None


def _history(model_name: str) -> sa.Select[tuple[int, str, int, datetime, str]]:
    # By id, not by time: clocks step back.
    return sa.select(champions).where(champions.c.model_name == model_name).order_by(champions.c.id.desc())
