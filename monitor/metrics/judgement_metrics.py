"""Metrics of the gate's verdicts, and of the versions that are compared on live ground truths."""

from collections.abc import Iterator, Sequence
from itertools import product

from prometheus_client import Metric

from common.judgement.gate import WORDS
from common.store import Store
from monitor.follow_registry import References
from monitor.metrics.metric_families import counter, gauge
from monitor.statistics.duel import live_duel


def judgement_metrics(
    store: Store, references: References, models: Sequence[tuple[str, str]], *, trusted_only: bool
) -> Iterator[Metric]:
    """Return the number of verdicts, and the present e-values of each problem; `models` are problems with models."""
    # Zeros are exported, too: a series that begins with its first verdict shows no increase.
    verdicts = dict.fromkeys(product((problem for problem, _ in models), WORDS), 0) | {
        (each.problem, each.verdict): each.judgements for each in store.correction_history.verdicts()
    }
    yield counter("judgements", "Candidates that the gate has judged.", ("problem", "verdict"), verdicts.items())
    known = {model: aliases for model in models if (aliases := references.aliases(model[1]))}
    duels = {
        model[0]: live_duel(store, model, aliases.champion, aliases.challenger, trusted_only=trusted_only)
        for model, aliases in known.items()
    }
    found = {problem: duel for problem, duel in duels.items() if duel}
    yield gauge(
        "duel_truths",
        "Ground truths on which a fine-tuned version is compared with the one beside it.",
        ("problem", "result"),
        (
            ((problem, result), getattr(duel, attribute))
            for problem, duel in found.items()
            for result, attribute in (("win", "wins"), ("loss", "losses"), ("tie", "ties"))
        ),
    )
    yield gauge(
        "duel_e_value",
        "The e-value that the fine-tuned version is worse, or not worse by the margin.",
        ("problem", "kind"),
        (((problem, kind), getattr(duel, kind)) for problem, duel in found.items() for kind in ("worse", "not_worse")),
    )
