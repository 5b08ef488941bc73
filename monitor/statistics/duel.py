"""The present comparison of a fine-tuned version with the one beside it, on live ground truths."""

from dataclasses import dataclass

from common.judgement.betting import e_not_worse, e_worse
from common.problem import ProblemError, get_problem
from common.store import Store


@dataclass(frozen=True)
class LiveDuel:
    """Two versions that answer the same rows; fine-tuning has made the newer one.

    Attributes:
        new: the number of the newer version.
        old: the number of the other one.
        on_trial: whether the newer one is the challenger; if not, it is a champion on probation.
        wins: the number of ground truths that only the newer version answered rightly.
        losses: the number of those that only the older one answered rightly.
        ties: the number of those that both or neither answered rightly.
        margin: the loss of accuracy that does not matter; None if the problem has no file here.
    """

    new: int
    old: int
    on_trial: bool
    wins: int
    losses: int
    ties: int
    margin: float | None

    @property
    def truths(self) -> int:
        """The number of ground truths that count."""
        return self.wins + self.losses + self.ties

    @property
    def worse(self) -> float:
        """The e-value that the newer version is worse."""
        return e_worse(self.wins, self.losses, self.ties)

    @property
    def not_worse(self) -> float | None:
        """The e-value that it is not worse by the margin; None without a margin."""
        return None if self.margin is None else e_not_worse(self.wins, self.losses, self.ties, self.margin)


def live_duel(
    store: Store, model: tuple[str, str], champion: int | None, challenger: int | None, *, trusted_only: bool
) -> LiveDuel | None:
    """Return the comparison of champion and challenger; None without two versions, or if the gate judged neither.

    Args:
        store: has the ground truths and the judgements.
        model: the problem and the name of the model.
        champion: the number of the champion.
        challenger: the number of the challenger.
        trusted_only: whether only ground truths count that came with the key.
    """
    if champion is None or challenger is None:
        return None
    new, old = max(champion, challenger), min(champion, challenger)
    if new == old or store.trials.judgement(model[0], new) is None:
        return None
    found = store.trials.paired_truths(*model, champion, challenger, trusted_only=trusted_only)
    alone = {champion: found.only_champion_right, challenger: found.only_challenger_right}
    ties = found.both_right + found.both_wrong
    return LiveDuel(new, old, new == challenger, alone[new], alone[old], ties, _margin(model[0]))


def _margin(problem: str) -> float | None:
    try:
        return get_problem(problem).margin
    except ProblemError:
        return None
