"""The gate: it judges the candidates of a fine-tuning, and gives the better one its aliases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import mlflow

from common.bundle.export import Tested, export_tested
from common.bundle.model import ModelError
from common.judgement.gate import ACCEPTED, INSUFFICIENT, REFUSED, Judgement, Verdict, pick
from common.problem import Problem
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, VERDICT
from common.settings import Settings
from common.table import read_table
from finetune.evidence import Exam
from finetune.train import FineTuned

__all__ = ["REFUSED", "Checked", "aliases_for", "check"]

MAX_TAG = 4000  # characters of a tag in MLflow

LogMore = Callable[[Mapping[str, Any]], None]
Promotion = Literal["optimistic", "cautious", "manual"]


@dataclass(frozen=True)
class Checked:
    """The better candidate, after the gate.

    Attributes:
        name: the way in which it learnt.
        tested: its bundle, with its results on the test rows; None if no candidate could be exported.
        verdict: the word of the gate.
        because: the reason in one sentence.
        aliases: the aliases that its version gets; without any, it becomes no version.
        details: the figures of the gate, as values that JSON has.
    """

    name: str
    tested: Tested | None
    verdict: Verdict
    because: str
    aliases: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def check(
    problem: Problem, settings: Settings, fine_tuned: FineTuned, exam: Exam | None, log_more: LogMore | None = None
) -> Checked:
    """Export the candidates, pass them through the gate, and log to their MLflow run what the gate found.

    Args:
        problem: gives classes, margin, and the accuracy that the threshold needs.
        settings: have the folder of test.csv, and the rule of promotion.
        fine_tuned: the candidates.
        exam: the evidence; None if the gate is the threshold on test.csv.
        log_more: logs more to the run, from the details of a judgement on evidence.
    """
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    tested: dict[str, Tested] = {}
    faults = []
    for name, model in fine_tuned.models.items():
        try:
            tested[name] = export_tested(model, problem, fine_tuned.rows, test, fine_tuned.scorer)
        except ModelError as error:
            faults.append(f"the exported model cannot be served: {error}")
    if not tested:
        checked = Checked("", None, REFUSED, "; ".join(faults))
    elif exam is None:
        checked = by_threshold(problem, tested)
    else:
        checked = by_evidence(problem, settings.promotion, tested, exam)
    with mlflow.start_run(run_id=fine_tuned.run_id):
        _log(checked, tested)
        if log_more and exam and checked.tested:
            log_more(checked.details)
    return checked


def _log(checked: Checked, tested: Mapping[str, Tested]) -> None:
    """Log the results of all candidates, and the verdict on the better one, to the active run."""
    for name, each in tested.items():
        mlflow.log_metrics({f"{name}_test_{metric}": value for metric, value in each.metrics.items()}, step=1)
    for name, figures in checked.details.get("candidates", {}).items():
        mlflow.log_metrics({f"{name}_{metric}": float(value) for metric, value in figures.items()}, step=1)
    if checked.tested:
        mlflow.log_metrics({f"test_{name}": value for name, value in checked.tested.metrics.items()}, step=1)
    mlflow.set_tags({VERDICT: checked.verdict, "because": checked.because[:MAX_TAG], "candidate": checked.name})
    if not checked.aliases:
        mlflow.set_tag("refused_because", checked.because[:MAX_TAG])


def by_threshold(problem: Problem, tested: Mapping[str, Tested]) -> Checked:
    """Accept the candidate that is best on test.csv if its accuracy reaches the minimum of the problem."""
    name, best = max(tested.items(), key=lambda item: item[1].metrics["accuracy"])
    found = f"accuracy on test.csv is {100 * best.metrics['accuracy']:.1f} %"
    if best.metrics["accuracy"] < problem.min_accuracy:
        return Checked(name, best, REFUSED, f"{found}, and at least {100 * problem.min_accuracy:g} % is needed")
    return Checked(name, best, ACCEPTED, found, (CHAMPION,))


def by_evidence(problem: Problem, promotion: Promotion, tested: Mapping[str, Tested], exam: Exam) -> Checked:
    """Judge the candidates on the same evidence, and take the better one."""
    judgements = {name: exam.judge(each.bundle, problem) for name, each in tested.items()}
    name = pick(judgements)
    best = judgements[name]
    details = best.as_dict() | {
        "anchor": exam.anchor_number,
        "champion": exam.champion_number,
        "world_changed": best.world_changed or exam.world_changed,
        "candidates": {each: dict(judgement.figures) for each, judgement in judgements.items()},
        "wanted": exam.labels_of(best.wanted, tested[name].bundle, problem),
    }
    return Checked(name, tested[name], best.verdict, best.because, aliases_for(best, promotion), details)


def aliases_for(judgement: Judgement, promotion: Promotion) -> tuple[str, ...]:
    """Return the aliases of the version that a judged model becomes; none if it does not become a version.

    A challenger answers in the champion's shadow until ground truths, or a person, decide. A version that is certainly
    better than the anchor becomes the anchor.
    """
    if judgement.verdict not in (ACCEPTED, INSUFFICIENT):
        return ()
    proven = judgement.verdict == ACCEPTED and promotion != "manual"
    on_probation = judgement.nothing_against and promotion == "optimistic"
    if not (proven or on_probation):
        return (CHALLENGER,)
    return (ANCHOR, CHAMPION) if judgement.better else (CHAMPION,)
