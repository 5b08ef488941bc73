"""Corrections in quarantine, as vetting leaves them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.store import Store
from common.store.tables import suggestions
from common.store.trust.tables import vetting_maps, vettings, withdrawals
from tests.common.store.rows import CLASSES, FEATURES, VERSICOLOR, suggestion

ANCHOR = 1
DETAILS: dict[str, Any] = {
    "answer": VERSICOLOR,
    "confidence": 0.97,
    "champion_version": 2,
    "anchor": {"answer": VERSICOLOR, "confidence": 0.625},
    "nearest": [{"features": FEATURES, "class_name": VERSICOLOR, "distance": 0.25}],
    "at": [0.5, -1.0],
}
MAP: dict[str, Any] = {
    "axes": ["petal_length", "petal_width"],
    "points": [[-1.5, -1.0, 0], [0.2, 0.1, 1], [1.5, 1.25, 2]],
    "classes": list(CLASSES),
}


def quarantine(  # noqa: PLR0913  # each is what some test is about
    store: Store,
    name: str,
    rule: str = "outlier",
    reason: str = "it is far from all training rows",
    *,
    number: float | None = 0.5,
    details: Mapping[str, Any] | None = None,
    problem: str = "iris",
    source: str | None = "192.0.2.1",
    at: datetime | None = None,
) -> None:
    """Receive a correction, and stop it by a rule."""
    store.suggestions.add(suggestion(name, problem, source=source))
    store.suggestions.quarantine([name], reason)
    verdict = {"outcome": "quarantined", "rule": rule, "number": number, "details": details or DETAILS}
    with store._database.writing() as connection:
        moment = at or datetime.now(UTC)
        values = {"suggestion_id": name, "problem": problem, "vetted_at": moment, **verdict}
        connection.execute(vettings.insert().values(values))
        if at:
            connection.execute(suggestions.update().where(suggestions.c.id == name).values(received_at=at))


def draw(store: Store, content: Mapping[str, Any] = MAP, *, anchor: int = ANCHOR, problem: str = "iris") -> None:
    """Write the map of an anchor."""
    with store._database.writing() as connection:
        values = {"problem": problem, "anchor_version": anchor, "details": content}
        connection.execute(vetting_maps.insert().values(values))


def take_back(store: Store, name: str) -> None:
    """Withdraw a correction, as its sender may do."""
    with store._database.writing() as connection:
        store.suggestions.change(connection, suggestions.c.id == name, withdrawn_because="it was a mistake")
        values = {"suggestion_id": name, "problem": "iris", "request_id": "r", "actor": "key"}
        connection.execute(withdrawals.insert().values(values | {"requested_at": datetime.now(UTC)}))
