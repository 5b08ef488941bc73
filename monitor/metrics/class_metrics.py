"""Metrics of the classes: which one counts as positive, and how many rows of each the served version has learnt."""

from collections.abc import Iterator, Mapping

from prometheus_client import Metric

from common.problem import ProblemError, get_problem
from monitor.follow_registry import References
from monitor.metrics.metric_families import gauge

BINARY = 2


def class_metrics(references: References, models: Mapping[str, str]) -> Iterator[Metric]:
    """Return the positive classes and the learnt rows; `models` are model names by problem.

    Of two classes the second one is positive, as in scikit-learn. The classes are those in the served version's bundle,
    or of the problem's file as long as no bundle with classes has been read.
    """
    known = {problem: reference for problem, name in models.items() if (reference := references.of(name))}
    classes = {problem: known[problem].classes if problem in known else _classes(problem) for problem in models}
    yield gauge(
        "positive_class",
        "1 for the class of a binary problem that counts as positive.",
        ("problem", "class_name"),
        (((problem, names[-1]), 1.0) for problem, names in classes.items() if len(names) == BINARY),
    )
    yield gauge(
        "learnt_rows",
        "Rows that the served version has learnt: training rows, later rows and corrections.",
        ("problem", "class_name"),
        (
            ((problem, class_name), count)
            for problem, reference in known.items()
            for class_name, count in reference.class_counts.items()
        ),
    )


def _classes(problem: str) -> tuple[str, ...]:
    try:
        return get_problem(problem).target.classes
    except ProblemError:  # the monitor also runs without the problem's file
        return ()
