"""Metrics of vetting, review and withdrawal: outcomes by rule, the reviewers' queue, and how long things wait."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

from prometheus_client import Metric

from common.store import Store
from monitor.metrics.metric_families import by_problem, gauge
from trust.vetting.rules import Rule

HOUR = timedelta(hours=1)
# The rules that quarantine. A correction that is known is refused.
QUARANTINING = tuple(each for each in get_args(Rule) if each != "known")


def review_metrics(store: Store, problems: Iterable[str]) -> Iterator[Metric]:
    """Return the metrics of these problems, and of all others that have corrections in quarantine."""
    figures, now = store.trust.review_figures, datetime.now(UTC)
    queues = {each.problem: each for each in figures.queues()}
    known = sorted({*problems, *queues})
    # A gauge: a second correction that says the same takes the first one out of quarantine, too.
    outcomes = dict.fromkeys(product(known, ("quarantined",), QUARANTINING), 0)
    outcomes |= {(each.problem, each.outcome, each.rule): each.corrections for each in figures.outcomes()}
    yield gauge(
        "vetted_corrections",
        "Vetted corrections, by their present outcome and the rule that decided.",
        ("problem", "outcome", "rule"),
        outcomes.items(),
    )
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
    since = store.trust.withdrawals.open_since()
    yield by_problem(
        "withdrawals_open_oldest_seconds",
        "Age of the oldest withdrawal that is still open; 0 when there is none.",
        {
            problem: max((now - since[problem]).total_seconds(), 0.0) if problem in since else 0.0
            for problem in sorted({*known, *since})
        },
    )
    shares = {problem: figures.share(problem, now - HOUR) for problem in known}
    yield by_problem(
        "vetted_hour_corrections",
        "Corrections that were vetted within the last hour.",
        {problem: share.vetted for problem, share in shares.items()},
    )
    yield by_problem(
        "vetted_hour_quarantined_ratio",
        "Share of them that was quarantined; 0 when there are none.",
        {problem: share.quarantined / max(share.vetted, 1) for problem, share in shares.items()},
    )
