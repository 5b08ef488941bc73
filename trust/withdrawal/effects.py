"""Withdrawals: which versions may serve after one, and the words about it. Pure but for questions to the store."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from common.problem import Problem
from common.registry.client import VERDICT, Version
from common.store import Store
from common.store.champions import ChampionPeriod
from common.store.trust.withdrawals import UNLEARNT

# Tag of a version that was made because of a withdrawal: the number of the version that it replaces.
REPLACES = "replaces"
# Tags that fine-tuning gives to a version: where it started, and the hashes of what it has learnt.
STARTED_FROM, LEARNT, TRAINED_ON = "continued_from", "corrections_md5", "train_md5"


def is_tainted(store: Store, problem: Problem, version: Version) -> bool:
    """Return whether a version has learnt a withdrawn correction, or may have: it must not serve (again).

    A version of the training has learnt no corrections, nor has one whose tags name its data without them.
    """
    tags = version.tags
    may_have_some = STARTED_FROM in tags and (LEARNT in tags or TRAINED_ON not in tags)
    return may_have_some and store.trust.tainted.taint(problem.name, version.number)


def objection(problem: Problem, store: Store, version: Version) -> str | None:
    """Return why no alias may point at a version; None if one may."""
    if not is_tainted(store, problem, version):
        return None
    return (
        f"version {version.number} has learnt corrections that were withdrawn since, and must not answer again: "
        "take a version that never learnt them; GET /corrections/withdrawals says which one replaced it"
    )


def standing(history: Sequence[ChampionPeriod]) -> Iterator[int]:
    """Yield the versions that were champion and were not taken back, the last one first."""
    versions: list[int] = []
    for period in history:
        if period.how == "rolled back" and period.model_version in versions:
            while versions[-1] != period.model_version:
                versions.pop()
        else:
            versions.append(period.model_version)
    return iter(dict.fromkeys(reversed(versions)))


def plan(corrections: int, versions: Mapping[int, int]) -> str:
    """Return in words what a withdrawal will do.

    Args:
        corrections: how many are taken back.
        versions: those that have or may have learnt any of them, with the number of their answers.
    """
    if not corrections:
        return "nothing: there is no correction to take back, or all of them are taken back already"
    leave = "no version learns them any more, and their rows leave finetune.csv with the next flow run"
    if not versions:
        return f"{leave}; no version has learnt them, so none is replaced"
    return (
        f"{leave}; {_listed(versions)} learnt them, and gave {sum(versions.values())} answers; if one of these "
        "versions serves, a version without them is made and judged: unless it is refused, it serves, and otherwise "
        "the newest version that never learnt them"
    )


def outcome(*, learnt: bool, last: int, serving: Version | None, newest: ChampionPeriod | None) -> str:
    """Return in words how the withdrawal of a correction ended.

    Args:
        learnt: whether any version had learnt it.
        last: the last version that had learnt a correction of the withdrawals that end together; 0 without any.
        serving: the version that serves now; None if none is registered.
        newest: the newest period of a champion, if one is known.
    """
    if not learnt:
        return UNLEARNT
    if serving is None:
        return "no version is registered any more"
    if REPLACES in serving.tags and serving.number > last:
        return f"version {serving.number} has learnt the other corrections, and serves ({serving.tags.get(VERDICT)})"
    because = newest.because if newest and newest.model_version == serving.number else None
    return f"version {serving.number} serves, which never learnt it{f': {because}' if because else ''}"


def _listed(versions: Collection[int]) -> str:
    numbers = [str(each) for each in sorted(versions)]
    return f"version {numbers[0]}" if len(numbers) == 1 else f"versions {', '.join(numbers[:-1])} and {numbers[-1]}"
