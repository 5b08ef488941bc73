"""Vetting in the fine-tuning flow: it decides which new corrections are written to finetune.csv."""

from collections.abc import Callable, Sequence

from common.problem import Problem
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion


def vetter(
    problem: Problem, settings: Settings, store: Store
) -> Callable[[Sequence[Suggestion]], Sequence[Suggestion]]:
    """Return the function that picks the corrections that may be learnt, and puts the others into quarantine."""
    del problem, settings, store
    return list
