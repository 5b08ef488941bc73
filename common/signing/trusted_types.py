"""The types that a scikit-learn model of the lab may consist of; the file of a model does not decide about them.

skops trusts scikit-learn's estimators and numpy's arrays by itself. A type is named by its module and its name.
"""

import re
from collections.abc import Iterable
from importlib import import_module

from sklearn.base import BaseEstimator

from common.signing.check import NotTrustedError
from common.signing.signature import VersionInRegistry

OF_SKLEARN = re.compile(r"sklearn(\.\w+)+")
# Parts of scikit-learn that no model consists of: they load data sets, watch a training, or serve its own tests.
NO_MODELS = frozenset({"callback", "conftest", "datasets", "externals", "tests", "_testing"})
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
    if strange := sorted(name for name in named if name not in OF_THE_LAB | own and not _is_of_sklearn(name)):
        raise NotTrustedError(
            f"the scikit-learn model has types that nobody trusts: {', '.join(strange)}. If problem {problem} needs "
            f"them, name them in problems/{problem}.py: {OWN} = {strange}"
        )
    return named


def check_memory(version: VersionInRegistry, model: object) -> None:
    """Check that no part of a model has a memory on the disk, from where its next training would load pickles.

    Raises:
        NotTrustedError: a part has one.
    """
    parameters = model.get_params() if isinstance(model, BaseEstimator) else {}
    if found := [name for name, value in parameters.items() if name.split("__")[-1] == "memory" and value is not None]:
        raise NotTrustedError(
            f"{version.name} version {version.number} is not used: its {found[0]} is a folder of pickles, from which "
            "the next training would run any code. Train it with memory=None"
        )


def _is_of_sklearn(name: str) -> bool:
    """Return whether scikit-learn defines a class of this name, in this module; skops does not call its `__init__`.

    Modules of scikit-learn have names of other packages, too, such as functions that open files: these do not count.
    """
    if not OF_SKLEARN.fullmatch(name) or NO_MODELS & set(name.split(".")):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError:
        return False
    return isinstance(found, type) and found.__module__ == module
