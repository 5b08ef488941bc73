"""The evidence on which fine-tuned models are judged: its rows, and the answers of the champion and the anchor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.bundle.model import OnnxModel
from common.judgement.gate import Evidence, Judgement, Rules, judge
from common.named_rows import as_rows, indices_of
from common.problem import Ints, Problem, Rows, Table
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import read_table

TRUTHS = 500  # live rows with ground truth, the newest
UNLABELLED = 1000  # live rows without, the newest
JUDGED = 1000  # judgements, the newest


@dataclass(frozen=True)
class Exam:
    """Rows for a candidate to answer, and the answers of the versions that it is compared with.

    Attributes:
        X: the rows of the evidence `[rows, features]`.
        evidence: their ground truths and origins.
        champion: the champion's answers, class indices `[rows]`.
        anchor: the anchor's answers.
        taught: the corrections of this batch, with their labels.
        taught_before: the champion's answers to them.
        rules: the limits of the gate.
        anchor_number: the number of the version that is the anchor.
        champion_number: the number of the champion.
        world_changed: whether the anchor was judged without test.csv, because the world had changed.
    """

    X: Rows
    evidence: Evidence
    champion: Ints
    anchor: Ints
    taught: Table
    taught_before: Ints
    rules: Rules
    anchor_number: int
    champion_number: int
    world_changed: bool

    def judge(self, bundle: OnnxModel, problem: Problem) -> Judgement:
        """Return the verdict on a candidate, which is given as the bundle that would be served."""
        taught = self.taught.y, self.taught_before, answers(bundle, self.taught.X, problem)
        candidate = answers(bundle, self.X, problem)
        return judge(candidate, self.champion, self.anchor, self.evidence, taught, self.rules, problem.target.classes)

    def labels_of(self, wanted: Sequence[str], bundle: OnnxModel, problem: Problem) -> list[dict[str, str]]:
        """Return the wanted predictions with the classes that candidate, champion and anchor answer."""
        classes = problem.target.classes
        candidate = answers(bundle, self.X, problem)
        places = {name: place for place, name in enumerate(self.evidence.ids)}
        return [
            {
                "prediction_id": name,
                "candidate": classes[candidate[places[name]]],
                "champion": classes[self.champion[places[name]]],
                "anchor": classes[self.anchor[places[name]]],
            }
            for name in wanted
        ]


def set_exam(problem: Problem, settings: Settings, store: Store, serving: Version, batch: Sequence[Suggestion]) -> Exam:
    """Collect the rows for the gate, and ask the champion and the anchor for their answers.

    Args:
        problem: gives features, classes and margin.
        settings: have the addresses, and the folder of test.csv.
        store: has the ground truths and the prediction log.
        serving: the champion.
        batch: the corrections that the candidates learn for the first time.

    Raises:
        ModelError: a version cannot be loaded.
        DataError: test.csv is missing or damaged.
    """
    anchor = publish.anchor(problem, serving)
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    name, since = problem.onnx_name, publish.registered_at(anchor)
    truths = store.evidence.live_truths(problem.name, name, since, TRUTHS, trusted_only=settings.has_keys)
    live = [*truths, *store.evidence.unlabelled(problem.name, name, UNLABELLED)]
    rows, labels = as_rows(problem, [each.features for each in live]), [each.truth for each in live]
    judged = store.judgements.newest(problem.name, JUDGED)
    # If the anchor has learnt a changed world, test.csv is of the old one and does not count.
    changed = any(each.version == anchor.number and each.details.get("world_changed") for each in judged)
    if changed:
        test = Table(test.X[:0], test.y[:0])
    X = np.concatenate([rows, test.X])
    fresh = np.arange(len(X)) < len(live)
    truth = np.concatenate([indices_of(problem, labels), test.y])
    evidence = Evidence(truth, fresh, [*(each.prediction_id for each in live), *[""] * len(test.y)])
    taught = Table(
        as_rows(problem, [each.features for each in batch]), indices_of(problem, [each.class_name for each in batch])
    )
    bundles = {version.number: publish.load_bundle(settings, version) for version in (serving, anchor)}
    tried = sum(each.details.get("anchor") == anchor.number for each in judged)
    return Exam(
        X,
        evidence,
        answers(bundles[serving.number], X, problem),
        answers(bundles[anchor.number], X, problem),
        taught,
        answers(bundles[serving.number], taught.X, problem),
        Rules(problem.margin, tries=tried + 1),
        anchor.number,
        serving.number,
        changed,
    )


def answers(bundle: OnnxModel, X: Rows, problem: Problem) -> Ints:
    """Return a bundle's answers as indices of the problem's classes `[rows]`; -2 for a class that is none of them."""
    known = problem.target.classes
    places = np.array([known.index(each) if each in known else -2 for each in bundle.classes], dtype=np.int64)
    return places[bundle.predict(bundle.as_rows(X)).labels] if len(X) else np.zeros(0, dtype=np.int64)
