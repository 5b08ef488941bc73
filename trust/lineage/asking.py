"""The question of a lineage: the prediction as the log has it, and the versions as the registry has them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.registry.client import Registry, RegistryError, RegistryUnavailableError, Version
from common.store import Store
from common.store.trust.erasures import Erasure

REGISTRY_SECONDS = 2.0


class ErasedError(LookupError):
    """The prediction was erased; the message says when."""

    def __init__(self, erasure: Erasure) -> None:
        """Name the prediction."""
        super().__init__(f"prediction {erasure.prediction_id} was erased on {erasure.erased_at:%Y-%m-%d at %H:%M} UTC")


@dataclass(frozen=True)
class Model:
    """The model of a problem, by the names of both."""

    problem: str
    name: str


@dataclass(frozen=True)
class Logged:
    """A prediction as the log has it at one moment: a row for each version that has answered by then, at least one."""

    prediction_id: str
    rows: Sequence[Mapping[str, Any]]

    @property
    def model(self) -> Model:
        """Return the model that answered."""
        return Model(self.rows[0]["problem"], self.rows[0]["model_name"])

    @property
    def versions(self) -> list[int]:
        """Return the versions that answered, the champion first."""
        return list(dict.fromkeys(row["model_version"] for row in self.rows))


@dataclass(frozen=True)
class Page:
    """The part of a list that is wanted: at most `limit` corrections, with ids after `after`."""

    limit: int = 50
    after: str = ""


@dataclass(frozen=True)
class Registered:
    """The registry's answer about versions: those that it has, by number, and whether it answered at all."""

    versions: Mapping[int, Version] = field(default_factory=dict)
    answered: bool = False


async def registered(registry: Registry, name: str, numbers: Sequence[int]) -> Registered:
    """Ask the registry for versions of a model, for at most `REGISTRY_SECONDS`."""
    try:
        async with asyncio.timeout(REGISTRY_SECONDS):
            found = await asyncio.gather(*(registry.version(name, each) for each in numbers))
    except (RegistryUnavailableError, RegistryError, TimeoutError):
        return Registered()
    return Registered({each.number: each for each in found if each}, answered=True)


def logged(store: Store, prediction_id: str) -> Logged | None:
    """Return what the log has of a prediction; None for an unknown one.

    Raises:
        ErasedError: the prediction was erased.
    """
    if rows := [each.row for each in store.predictions.get(prediction_id)]:
        return Logged(prediction_id, rows)
    if erasure := store.trust.erasures.of(prediction_id):
        raise ErasedError(erasure)
    return None
