"""Versions in the registry that do not serve, although somebody may expect it, and why."""

from collections.abc import Collection
from dataclasses import dataclass

from common.registry.client import CHALLENGER, CHAMPION, REFUSED, Registry, Version


@dataclass(frozen=True)
class Unserved:
    """A version, and in words why it does not serve."""

    version: int
    reason: str


async def unserved(registry: Registry, model_name: str, reigned: Collection[int]) -> list[Unserved]:
    """Return the versions that an api refuses, and the newest if it has never had a place; `reigned` were champions.

    Raises:
        RegistryError, RegistryUnavailableError: as the registry's methods do.
    """
    champion = await registry.aliased(model_name, CHAMPION)
    challenger = await registry.aliased(model_name, CHALLENGER)
    newest = next(iter(await registry.versions(model_name, 1)), None)
    found = {each.number: each for each in (newest, challenger, champion) if each}
    told = [
        Unserved(number, f"refused: {each.tags[REFUSED]}") for number, each in found.items() if REFUSED in each.tags
    ]
    if champion and newest and _is_left_out(newest, champion, challenger, reigned):
        told.append(Unserved(newest.number, _newer(newest, champion)))
    return told


def _is_left_out(newest: Version, champion: Version, challenger: Version | None, reigned: Collection[int]) -> bool:
    placed = {*reigned, challenger.number if challenger else champion.number}
    return newest.number > champion.number and newest.number not in placed and REFUSED not in newest.tags


def _newer(newest: Version, champion: Version) -> str:
    return (
        f"version {newest.number} is newer than champion {champion.number}: to let it answer, move the alias champion "
        f"in MLflow, or POST /models/{newest.number}/promote at the api"
    )
