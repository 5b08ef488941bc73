"""What a model learnt from, as its bundle tells it, and what it answered then."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from common.bundle.model import ModelError, OnnxModel
from common.registry.client import CHALLENGER, Registry, RegistryError, Version
from common.registry.follow import RegistryFollower, RetryPauses
from common.store import Store, StoreError
from monitor.statistics.drift import CategoryReference, NumberReference
from monitor.statistics.performance import Results
from monitor.unserved import Unserved, unserved

POLL_SECONDS = 2.0
MOST_VERSIONS = 200
TESTED = "test_"  # begins the tags with the results on the test rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """What a version learnt from, and what it answered to rows that it had not learnt from.

    Attributes:
        version: its number.
        classes: their names, in order.
        class_counts: rows of the training data, by class.
        features: by name.
        answers: the shares of the classes that it answered; None in a bundle that does not tell.
        confidence: the probability of the class that it answered; None, too, of a model that gives none.
        tested: its answers to the test rows beside their truths; None in a bundle that does not tell.
    """

    version: int
    classes: tuple[str, ...]
    class_counts: Mapping[str, int]
    features: Mapping[str, NumberReference | CategoryReference]
    answers: CategoryReference | None
    confidence: NumberReference | None
    tested: Results | None = None


@dataclass(frozen=True)
class Aliases:
    """The versions that the registry serves as champion and names as challenger; None where there is none."""

    champion: int | None
    challenger: int | None


class References:
    """The references of the served version of every model in the store, from `start` to `stop`.

    While MLflow is away what was read stays.
    """

    def __init__(self, store: Store, registry: Registry, at_work: Mapping[str, str] | None = None) -> None:
        """Ask `store` for models, and `registry` for their served versions.

        `at_work` are models by problem that are looked at before they have answered, too.
        """
        self._store = store
        self._at_work = at_work or {}
        self._unserved: dict[str, Sequence[Unserved]] = {}
        self._retry: dict[str, RetryPauses] = {}
        self._registry = registry
        self._aliases: dict[str, Aliases] = {}
        self._found: dict[str, tuple[Version, Reference | None]] = {}
        self._tested: dict[str, dict[int, dict[str, float]]] = {}
        self._following = RegistryFollower("the reference data", self._look, POLL_SECONDS, StoreError)

    def aliases(self, model_name: str) -> Aliases | None:
        """Return who is champion and challenger of a model at this moment; None while the registry has not said it."""
        return self._aliases.get(model_name)

    def of(self, model_name: str) -> Reference | None:
        """Return the reference of a model; None while it is not known, and of one that tells none."""
        return self._found[model_name][1] if model_name in self._found else None

    def knows(self, model_name: str) -> bool:
        """Return whether the served version has been read, whatever it tells."""
        return model_name in self._found

    def unserved(self, problem: str) -> Sequence[Unserved]:
        """Return the versions of a problem's model that do not serve although somebody may expect it."""
        return self._unserved.get(problem, ())

    def tested(self, model_name: str, version: int) -> Mapping[str, float]:
        """Return the results of a version on the test rows, such as accuracy; nothing while they are not known."""
        return self._tested.get(model_name, {}).get(version, {})

    async def start(self) -> None:
        """Begin to follow the registry."""
        self._following.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._following.stop()

    async def _look(self) -> None:
        failed: RegistryError | None = None
        models = await asyncio.to_thread(self._store.history.models)
        for problem, model_name in {**self._at_work, **dict(models)}.items():
            try:
                reigns = await asyncio.to_thread(self._store.champions.history, model_name)
                reigned = {reign.model_version for reign in reigns}
                self._unserved[problem] = await unserved(self._registry, model_name, reigned)
                await self._look_at(model_name)
            except RegistryError as error:  # of this model: the others are looked at all the same
                failed = error
        if failed:
            raise failed

    async def _look_at(self, model_name: str) -> None:
        version = await self._registry.serving_version(model_name)
        challenger = await self._registry.aliased(model_name, CHALLENGER)
        self._aliases[model_name] = Aliases(
            version.number if version else None, challenger.number if challenger else None
        )
        if version and (model_name not in self._found or self._found[model_name][0].identity != version.identity):
            # A version that passed the gate is served then, so that a new one cannot be missed.
            found = await self._registry.versions(model_name, MOST_VERSIONS)
            self._tested[model_name] = {each.number: _results(each) for each in found}
            retry = self._retry.setdefault(model_name, RetryPauses(POLL_SECONDS))
            if not retry.over(version):
                return
            with retry.attempt(version):
                content = await self._registry.download(version)
                self._found[model_name] = version, await asyncio.to_thread(read_bundle, version, content)


def read_reference(version: int, metadata: Mapping[str, Any]) -> Reference | None:
    """Return the reference of a version from what its bundle says of itself; None if it says none, or a damaged one."""
    try:
        told, classes = metadata["reference"], metadata["classes"]
        rows, answers, usual = told["rows"], told.get("answers"), told.get("usual", {})
        return Reference(
            version,
            tuple(classes),
            dict(zip(classes, told["class_counts"], strict=True)),
            {name: _feature(rows, feature, usual.get(name)) for name, feature in told["features"].items()},
            _category(answers["rows"], answers["classes"]) if answers else None,
            read_number(answers["rows"], answers["confidence"]) if answers and answers["confidence"] else None,
            _tested(classes, answers["confusion"]) if answers and "confusion" in answers else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def read_bundle(version: Version, content: bytes) -> Reference | None:
    """Return the reference in a version's file; None, and a warning, if there is none."""
    try:
        reference = read_reference(version.number, OnnxModel(content, classes=["any"]).metadata)
    except ModelError:
        reference = None
    if reference is None:
        logger.warning("%s version %d tells no reference of its training rows", version.name, version.number)
    return reference


def _results(version: Version) -> dict[str, float]:
    told = {name.removeprefix(TESTED): value for name, value in version.tags.items() if name.startswith(TESTED)}
    return {name: float(value) for name, value in told.items() if re.fullmatch(r"[0-9.]+", value)}


def _feature(
    rows: int, told: Mapping[str, Any], usual: Mapping[str, Any] | None
) -> NumberReference | CategoryReference:
    if "shares" in told:
        return _category(rows, told)
    number = read_number(rows, told)
    return replace(number, usual=(float(usual["mean"]), float(usual["std"]))) if usual else number


def _tested(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Results:
    matrix = np.array(counts, dtype=np.int64)
    if matrix.shape != (len(classes), len(classes)) or (matrix < 0).any():
        raise ValueError(f"counts of {matrix.shape} for {len(classes)} classes")
    return Results(tuple(classes), matrix)


def _category(rows: int, told: Mapping[str, Any]) -> CategoryReference:
    if rows < 1 or not told["shares"]:
        raise ValueError("there is nothing to compare with")
    return CategoryReference(rows, dict(told["shares"]))


def read_number(rows: int, told: Mapping[str, Any]) -> NumberReference:
    """Return the reference of a number from its statistics in a bundle; raise ValueError if they are none."""
    bins = told["bins"]
    edges, shares, quantiles = (
        np.array(values, dtype=np.float64) for values in (bins["edges"], bins["shares"], told["quantiles"])
    )
    if rows < 1 or len(shares) != len(edges) + 1:
        raise ValueError(f"{len(shares)} shares for {len(edges)} edges")
    return NumberReference(rows, float(told["mean"]), float(told["std"]), quantiles, edges, shares)
