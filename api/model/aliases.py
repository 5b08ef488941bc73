"""Champion and challenger: what is known of their answers, and who takes which place."""

from api.model.follower import ServedVersion
from api.schemas.responses import ClassStatistics, Comparison, Models, MovedAliases, Reign, VersionStatistics
from common.evaluate import mcnemar, mean, per_class, wilson
from common.problem import Problem
from common.registry.client import CHALLENGER, CHAMPION, Registry, Version
from common.store import Store
from common.store.champions import previous_champion
from common.store.statistics import LiveCounts, Span
from common.store.threads import StoreThreads

METRICS = ("precision", "recall", "specificity", "f1")


class NoVersionError(LookupError):
    """The registry has no such version."""


class RefusedError(ValueError):
    """An alias cannot be moved as asked; the message says why."""


def overview(
    problem: Problem, store: Store, champion: ServedVersion | None, challenger: ServedVersion | None
) -> Models:
    """Return what is served, the live statistics of every version, and the comparison of the two that serve."""
    name = problem.onnx_name
    first, second = (served.version.number if served else None for served in (champion, challenger))
    known = champion.model.classes if champion else problem.target.classes
    return Models(
        model_name=name,
        champion=first,
        challenger=second,
        versions=[version_statistics(live, known) for live in store.statistics.live(problem.name, name)],
        comparison=compare(store, problem, first, second) if first and second else None,
        history=[Reign(**vars(reign)) for reign in store.champions.history(name)],
    )


def version_statistics(live: LiveCounts, known: tuple[str, ...]) -> VersionStatistics:
    """Return the statistics of one version in one role; `known` classes come first, in their order."""
    classes = (*known, *sorted(live.classes - set(known)))
    matrix = live.matrix(classes)
    found = per_class(matrix)
    labels, right = int(matrix.sum()), int(matrix.trace())
    return VersionStatistics(
        model_version=live.model_version,
        role=live.role,
        predictions=live.predictions,
        outliers=live.outliers,
        labels=labels,
        accuracy=wilson(right, labels),
        **{name: mean([getattr(each, name) for each in found]) for name in METRICS},
        classes=[
            ClassStatistics(class_name=name, **vars(each), **each.estimates)
            for name, each in zip(classes, found, strict=True)
        ],
        confusion=matrix.tolist(),
    )


def compare(store: Store, problem: Problem, champion: int, challenger: int) -> Comparison:
    """Compare two versions on the labelled rows that both have answered."""
    paired = store.statistics.paired(Span(problem.name, problem.onnx_name), champion, challenger)
    return Comparison(
        champion=champion,
        challenger=challenger,
        **vars(paired),
        p_value=mcnemar(paired.only_champion_right, paired.only_challenger_right),
    )


async def challenge(problem: Problem, registry: Registry, number: int) -> MovedAliases:
    """Make a version the challenger.

    Raises:
        NoVersionError: the registry has no such version.
        RefusedError: it is the champion, or its scikit-learn twin is gone.
    """
    version = await _version(problem, registry, number)
    champion = await registry.serving_version(problem.onnx_name)
    if champion and champion.number == number:
        raise RefusedError(f"version {number} is the champion, and cannot challenge itself")
    await _point(problem, registry, CHALLENGER, version)
    return await _aliases(problem, registry)


async def promote(problem: Problem, registry: Registry, store: StoreThreads, number: int) -> MovedAliases:
    """Make a version the champion; if it was the challenger, there is none then.

    Raises:
        NoVersionError: the registry has no such version.
        RefusedError: its scikit-learn twin is gone.
    """
    name = problem.onnx_name
    version = await _version(problem, registry, number)
    champion = await registry.serving_version(name)
    if champion and champion.number != number:
        # A rollback goes back to it, even if it became champion a moment ago and nobody has noted it yet.
        await store.write(lambda of: of.champions.note(name, champion.number))
    # Also if it serves already: as the latest, without the alias, it would do so only until there is a later one.
    await _crown(problem, registry, version)
    if champion is None or champion.number != number:
        await store.write(lambda of: of.champions.note(name, number, "promoted"))
    return await _aliases(problem, registry)


async def roll_back(problem: Problem, registry: Registry, store: StoreThreads, number: int) -> MovedAliases:
    """Take a version back, and make champion who was it before.

    Raises:
        RefusedError: it is not the champion (any more), or there is nobody to go back to, or only a version whose
            scikit-learn twin is gone.
    """
    name = problem.onnx_name
    champion = await registry.serving_version(name)
    if champion is None or champion.number != number:
        now = f"version {champion.number} is" if champion else "there is none"
        raise RefusedError(f"version {number} is not the champion: {now}")
    # It may have become champion a moment ago, so that nobody has noted it yet.
    await store.write(lambda of: of.champions.note(name, number))
    previous = previous_champion(await store.read(lambda of: of.champions.history(name)))
    if previous is None:
        raise RefusedError(f"there was no champion before version {number}")
    version = await registry.version(name, previous)
    if version is None:
        raise RefusedError(f"version {previous}, the champion before, is not in the registry any more")
    await _crown(problem, registry, version)
    await store.write(lambda of: of.champions.note(name, previous, "rolled back"))
    return await _aliases(problem, registry)


async def _version(problem: Problem, registry: Registry, number: int) -> Version:
    version = await registry.version(problem.onnx_name, number)
    if version is None:
        raise NoVersionError(f"there is no {problem.onnx_name} version {number}")
    return version


async def _crown(problem: Problem, registry: Registry, version: Version) -> None:
    await _point(problem, registry, CHAMPION, version)
    challenger = await registry.aliased(problem.onnx_name, CHALLENGER)
    if challenger and challenger.number == version.number:
        await registry.delete_alias(problem.onnx_name, CHALLENGER)
        if "sklearn_version" in version.tags:
            await registry.delete_alias(problem.sklearn_name, CHALLENGER)


async def _point(problem: Problem, registry: Registry, alias: str, version: Version) -> None:
    # The other flavour first: when the services see the ONNX version move, everything else has its place.
    if (twin := version.tags.get("sklearn_version")) is not None:
        await registry.set_alias(problem.sklearn_name, alias, await _twin(problem, registry, version, twin))
    await registry.set_alias(problem.onnx_name, alias, version.number)


async def _twin(problem: Problem, registry: Registry, version: Version, number: str) -> int:
    if number.isdecimal() and await registry.version(problem.sklearn_name, int(number)):
        return int(number)
    raise RefusedError(
        f"{problem.sklearn_name} version {number}, the scikit-learn twin of version {version.number}, is not in MLflow "
        "any more, so that corrections could not be learnt from there on: take another version, or train anew"
    )


async def _aliases(problem: Problem, registry: Registry) -> MovedAliases:
    champion = await registry.aliased(problem.onnx_name, CHAMPION)
    challenger = await registry.aliased(problem.onnx_name, CHALLENGER)
    return MovedAliases(
        model_name=problem.onnx_name,
        champion=champion.number if champion else None,
        challenger=challenger.number if challenger else None,
    )
