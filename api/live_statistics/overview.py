"""How good the answers of each version are: counts of predictions, and metrics on those with a ground truth."""

from api.live_statistics.bodies import ClassStatistics, Comparison, Models, Reign, VersionStatistics
from api.model.follower import ServedVersion
from common.confusion import mean
from common.evaluate import classes_of, matrix_of, mcnemar, per_class, wilson
from common.problem import Problem
from common.store import Store
from common.store.statistics import LiveCounts, Span

METRICS = ("precision", "recall", "specificity", "f1")


def overview(
    problem: Problem, store: Store, champion: ServedVersion | None, challenger: ServedVersion | None, most: int
) -> Models:
    """Return the served versions, the comparison of the two that serve, and the live statistics of versions.

    These versions are the `most` that answered last, and the two that serve.
    """
    name = problem.onnx_name
    first, second = (served.version.number if served else None for served in (champion, challenger))
    serving = {number for number in (first, second) if number}
    versions = serving.union(store.statistics.newest_versions(problem.name, name, most))
    classes = champion.model.classes if champion else problem.target.classes
    return Models(
        model_name=name,
        champion=first,
        challenger=second,
        versions=[version_statistics(live, classes) for live in store.statistics.live(problem.name, name, [*versions])],
        comparison=compare(store, problem, first, second) if first and second else None,
        history=[Reign(**vars(reign)) for reign in store.champions.history(name)],
    )


def version_statistics(live: LiveCounts, known: tuple[str, ...]) -> VersionStatistics:
    """Return the statistics of one version in one role; `known` classes come first, in their order."""
    classes = classes_of(known, live.labels)
    matrix = matrix_of(live.labels, classes)
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
