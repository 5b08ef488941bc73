"""Faults in the description of a problem: equal or reserved names, limits beyond float32, wrong spellings."""

import keyword
from collections import Counter
from collections.abc import Iterator, Sequence

from common.features import BREAKING, LARGEST, Feature, Target

# Names that requests, the outputs of a bundle, or the monitor use for something else.
RESERVED = {
    "class_name", "confidence", "data", "outlier_score", "predicted_class", "prediction_id", "replace", "suggestion_id"
}  # fmt: skip


def faults(features: Sequence[Feature], slugs: Sequence[str], target: Target) -> Iterator[str]:
    """Yield a sentence for each fault of a problem.

    Args:
        features: the features.
        slugs: their names as identifiers, in the same order.
        target: the target.
    """
    columns = [each.name for each in features]
    for what, names in (("features", columns), ("features", slugs), ("classes", target.classes)):
        yield from (f"two {what} have the name {name!r}" for name, count in Counter(names).items() if count > 1)
    for each, slug in zip(features, slugs, strict=True):
        if slug in RESERVED:
            yield f"a feature cannot have the name {slug!r}, which the lab uses itself: rename the column"
        if not slug.isidentifier() or keyword.iskeyword(slug):
            yield (f"a feature cannot have the name {each.name!r}: begin with a letter, and use no keyword of Python")
        if each.kind == "number" and not all(abs(limit) <= LARGEST for limit in (each.minimum, each.maximum)):
            yield (
                f"feature {each.name!r} has the limits {each.minimum} and {each.maximum}: float32 holds numbers "
                f"between {-LARGEST:.2g} and {LARGEST:.2g}"
            )
    yield from _faults_of_target(columns, target)


def _faults_of_target(columns: Sequence[str], target: Target) -> Iterator[str]:
    name, classes = target.name, target.classes
    if name in columns:
        yield f"{name!r} is both a feature and the target: remove one of them"
    if len(classes) < 2:  # noqa: PLR2004  # the message says it
        yield "a target needs at least two classes"
    for each in classes:
        if not each or BREAKING.search(each):
            yield f"a class cannot have the name {each!r}: write a word in one line"
    for word, meant in target.spellings.items():
        if meant not in classes:
            yield f"{word!r} is a spelling of {meant!r}, which is not a class: the classes are {', '.join(classes)}"
        if word in classes and word != meant:
            yield f"{word!r} is a class, and cannot be a spelling of {meant!r}"
