"""The types that a scikit-learn model of the lab may consist of; the file of a model does not decide about them.

skops trusts scikit-learn's estimators and numpy's arrays by itself. A type is named by its module and its name.
"""

import re
from collections.abc import Iterable
from importlib import import_module

from common.signing.check import NotTrustedError

# Classes of scikit-learn that an estimator keeps. skops makes an object of a class without calling its `__init__`.
OF_SKLEARN = re.compile(r"sklearn(\.\w+)*\._?[A-Z]\w*")
OF_THE_LAB = frozenset({
    "collections.OrderedDict",
    "common.bundle.column_steps.Grouped",
    "common.bundle.column_steps.Plausible",
    # The module in which versions that were registered earlier have these two.
    "common.columns.Grouped",
    "common.columns.Plausible",
    "lightgbm.basic.Booster",
    "lightgbm.basic._InnerPredictor",
    "lightgbm.sklearn.LGBMClassifier",
})  # fmt: skip
OWN = "TRUSTED_TYPES"  # in a problem's file: further types


def trusted(problem: str, named: Iterable[str]) -> list[str]:
    """Return the types that a file names, if the lab or the problem's file trusts all of them.

    Raises:
        NotTrustedError: it names another type.
    """
    named = list(named)
    try:
        own = set(getattr(import_module(f"problems.{problem}"), OWN, ()))
    except ModuleNotFoundError:  # a problem that is not in a file of its own trusts nothing further
        own = set()
    if strange := sorted(name for name in named if not OF_SKLEARN.fullmatch(name) and name not in OF_THE_LAB | own):
        raise NotTrustedError(
            f"the scikit-learn model has types that nobody trusts: {', '.join(strange)}. If problem {problem} needs "
            f"them, name them in problems/{problem}.py: {OWN} = {strange}"
        )
    return named
