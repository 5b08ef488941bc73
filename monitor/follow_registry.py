"""Following the registry for every model in the store: aliases, reference, test results, versions that do not serve."""

import asyncio
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from common.bundle.model import ModelError, OnnxModel
from common.registry.client import CHALLENGER, CHAMPION, REFUSED, Registry, RegistryError, Version
from common.registry.follow import RegistryFollower, RetryPauses
from common.store import Store, StoreError
from monitor.statistics.reference import Reference, read_reference

POLL_SECONDS = 2.0
MOST_VERSIONS = 200
REFUSED_BECAUSE = "refused: "
TEST_RESULT = "test_"  # the beginning of the tags with the results on the test rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AliasedVersions:
    """The numbers of the versions that are champion and challenger in the registry; None without such a version.

    Without the alias `champion` the newest version serves, and counts as the champion.
    """

    champion: int | None
    challenger: int | None


@dataclass(frozen=True)
class Unserved:
    """A version that does not serve although somebody may expect it, and the reason in words."""

    version: int
    reason: str

    @property
    def is_refused(self) -> bool:
        """Whether an api has tried to serve it and could not."""
        return self.reason.startswith(REFUSED_BECAUSE)


class References(RegistryFollower):
    """The registry's view of every model in the store, and the references of the served versions.

    A task reads the registry from `start` to `stop`; the methods answer from memory. While MLflow is away they answer
    as of the last successful look.
    """

    def __init__(self, store: Store, registry: Registry, configured: Mapping[str, str] | None = None) -> None:
        """Follow `registry` for the models in `store`.

        Args:
            store: knows the models that have answered.
            registry: has their versions.
            configured: models by problem that are followed before they have answered, too.
        """
        super().__init__("the reference data", POLL_SECONDS, StoreError)
        self._store = store
        self._registry = registry
        self._configured = configured or {}
        self._unserved: dict[str, Sequence[Unserved]] = {}
        self._retry: dict[str, RetryPauses] = {}
        self._aliases: dict[str, AliasedVersions] = {}
        self._found: dict[str, tuple[Version, Reference | None]] = {}
        self._tested: dict[str, dict[int, dict[str, float]]] = {}

    @property
    def registry(self) -> Registry:
        """The registry itself, for questions about single versions."""
        return self._registry

    def model_of(self, problem: str) -> str:
        """Return the name of a configured problem's model; an empty text for other problems."""
        return self._configured.get(problem, "")

    def aliases(self, model_name: str) -> AliasedVersions | None:
        """Return the champion and the challenger of a model; None before the first look."""
        return self._aliases.get(model_name)

    def of(self, model_name: str) -> Reference | None:
        """Return the reference of a model's served version; None before it was read, or if its bundle has none."""
        return self._found[model_name][1] if model_name in self._found else None

    def knows(self, model_name: str) -> bool:
        """Return whether the bundle of the served version has been read, with or without a reference in it."""
        return model_name in self._found

    def unserved(self, problem: str) -> Sequence[Unserved]:
        """Return the versions of a problem's model that do not serve although somebody may expect it."""
        return self._unserved.get(problem, ())

    def tested(self, model_name: str, version: int) -> Mapping[str, float]:
        """Return the results of a version on the test rows, such as `accuracy`; empty before they were read."""
        return self._tested.get(model_name, {}).get(version, {})

    async def _look(self) -> None:
        failed: RegistryError | None = None
        models = await asyncio.to_thread(self._store.history.models)
        for problem, model_name in {**self._configured, **dict(models)}.items():
            try:
                await self._look_at(problem, model_name)
            except RegistryError as error:  # an error about one model must not hide the others
                failed = error
        if failed:
            raise failed

    async def _look_at(self, problem: str, model_name: str) -> None:
        periods = await asyncio.to_thread(self._store.champions.history, model_name)
        champion = await self._registry.aliased(model_name, CHAMPION)
        challenger = await self._registry.aliased(model_name, CHALLENGER)
        newest = next(iter(await self._registry.versions(model_name, 1)), None)
        former = {each.model_version for each in periods}
        self._unserved[problem] = unserved(champion, challenger, newest, former)
        serving = champion or newest
        self._aliases[model_name] = AliasedVersions(
            serving.number if serving else None, challenger.number if challenger else None
        )
        if serving and (model_name not in self._found or self._found[model_name][0].identity != serving.identity):
            await self._read(serving)

    async def _read(self, serving: Version) -> None:
        # Test results are read only when the served version changes. That is enough: a version that passes the gate
        # becomes champion, which is such a change.
        versions = await self._registry.versions(serving.name, MOST_VERSIONS)
        self._tested[serving.name] = {each.number: _test_results(each) for each in versions}
        retry = self._retry.setdefault(serving.name, RetryPauses(POLL_SECONDS))
        if not retry.over(serving):
            return
        with retry.attempt(serving):
            try:
                content = await self._registry.download(serving)
            except ModelError as error:  # a file that nobody should load
                raise RegistryError(str(error)) from error
            self._found[serving.name] = serving, await asyncio.to_thread(read_bundle, serving, content)


def read_bundle(version: Version, content: bytes) -> Reference | None:
    """Return the reference in a version's bundle; if there is none, log a warning and return None."""
    try:
        reference = read_reference(version.number, OnnxModel(content, classes=["any"]).metadata)
    except ModelError:
        reference = None
    if reference is None:
        logger.warning(
            "the bundle of %s version %d has no reference of its training rows", version.name, version.number
        )
    return reference


def unserved(
    champion: Version | None, challenger: Version | None, newest: Version | None, former: Collection[int]
) -> list[Unserved]:
    """Return the versions that the api refuses, and the newest version if nobody has promoted it yet.

    Args:
        champion: the version under the alias `champion`; None if the alias is not set.
        challenger: the version under the alias `challenger`; None if the alias is not set.
        newest: the version with the highest number; None without versions.
        former: the numbers of the versions that have been champion.
    """
    found = {each.number: each for each in (newest, challenger, champion) if each}
    refused = [
        Unserved(number, f"{REFUSED_BECAUSE}{each.tags[REFUSED]}")
        for number, each in found.items()
        if REFUSED in each.tags
    ]
    if newest is None or champion is None or REFUSED in newest.tags:
        return refused
    aliased = challenger.number if challenger else champion.number
    if newest.number <= champion.number or newest.number in {*former, aliased}:
        return refused
    promote = f"move the alias champion in MLflow, or POST /models/{newest.number}/promote at the api"
    reason = f"version {newest.number} is newer than champion {champion.number}: to let it answer, {promote}"
    return [*refused, Unserved(newest.number, reason)]


def _test_results(version: Version) -> dict[str, float]:
    tags = {name.removeprefix(TEST_RESULT): text for name, text in version.tags.items() if name.startswith(TEST_RESULT)}
    return {name: float(text) for name, text in tags.items() if re.fullmatch(r"[0-9.]+", text)}
