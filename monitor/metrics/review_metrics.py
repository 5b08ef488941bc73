"""Metrics of vetting and review: outcomes by rule, the queue of the reviewers, and the share in quarantine."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client import Metric

from common.store import Store
from monitor.metrics.metric_families import by_problem, gauge

HOUR = timedelta(hours=1)


def review_metrics(store: Store, problems: Iterable[str]) -> Iterator[Metric]:
    """Return the metrics of these problems, and of all others that have corrections in quarantine."""
    figures, now = store.trust.review_figures, datetime.now(UTC)
    # A gauge: a second correction that says the same takes the first one out of quarantine, too.
    yield gauge(
        "vetted_corrections",
        "Vetted corrections, by their present outcome and the rule that decided.",
        ("problem", "outcome", "rule"),
        (((each.problem, each.outcome, each.rule), each.corrections) for each in figures.outcomes()),
    )
    queues = {each.problem: each for each in figures.queues()}
    known = sorted({*problems, *queues})
    yield by_problem(
        "review_queue_corrections",
        "Corrections in quarantine, which wait for a reviewer.",
        {problem: queues[problem].corrections if problem in queues else 0 for problem in known},
    )
    ages = {problem: max((now - each.since).total_seconds(), 0.0) for problem, each in queues.items()}
    yield by_problem(
        "review_queue_oldest_seconds",
        "How long the first of them has been in quarantine; 0 when there is none.",
        {problem: ages.get(problem, 0.0) for problem in known},
    )
    shares = {problem: figures.share(problem, now - HOUR) for problem in known}
    yield by_problem(
        "vetted_hour_corrections",
        "Corrections that were vetted within the last hour.",
        {problem: share.vetted for problem, share in shares.items()},
    )
    yield by_problem(
        "vetted_hour_quarantined_ratio",
        "Share of them that was quarantined; absent when there are none.",
        {problem: share.quarantined / share.vetted if share.vetted else None for problem, share in shares.items()},
    )
