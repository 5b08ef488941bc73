"""The figures of a replay are those of brute force, and a replay that is impossible says why."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace as changed_in
from statistics import NormalDist

import numpy as np
import pytest

from common.bundle.model import OnnxModel
from common.evaluate import wilson
from common.features import Category, Number
from common.judgement.intervals import tango
from common.store.trust.replays import LoggedAnswer
from monitor.statistics import enough
from tests.trust.replay.replayed import CLASSES, COLUMNS, failing, largest, logged_rows, without_probabilities
from trust.replay.figures import summary_of
from trust.replay.replay import ChangedAnswer, Replay, ReplayedVersion, ReplayError, replayed_version
from trust.replay.summary import LEAST_CLASS_TRUTHS, LEAST_ROWS, QUANTILES, ReplaySummary

Z = NormalDist().inv_cdf(0.975)


def replayed(
    rows: Sequence[LoggedAnswer], model: OnnxModel | None = None, size: int = 64
) -> tuple[ReplaySummary, list[ChangedAnswer]]:
    replay = Replay(replayed_version(9, model or largest(), "iris", [number(name) for name in COLUMNS]))
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    changed = [each for _, found in replay.run(parts) for each in found]
    return summary_of(replay), changed


def number(name: str) -> Number:
    return Number(name, "cm", "a number", -10, 10, 0)


def answer(row: LoggedAnswer) -> tuple[str, float]:
    """Return the model's answer and its confidence, in plain Python."""
    values = [np.float32(row.features[name]) for name in COLUMNS]
    shares = [math.exp(value) for value in values]
    return CLASSES[values.index(max(values))], max(shares) / sum(shares)


ROWS = logged_rows(2_000)
ANSWERS = [answer(row)[0] for row in ROWS]


def test_counts_of_equal_and_changed_answers_are_those_of_brute_force() -> None:
    found, changed = replayed(ROWS)
    alike = sum(row.class_name == name for row, name in zip(ROWS, ANSWERS, strict=True))
    assert (found.version, found.rows, found.skipped, found.changed) == (9, 2_000, 0, 2_000 - alike)
    assert found.alike == wilson(alike, 2_000)
    assert (found.first, found.last) == (ROWS[0].predicted_at, ROWS[-1].predicted_at)
    expected = [(row.id, name) for row, name in zip(ROWS, ANSWERS, strict=True) if row.class_name != name]
    assert [(each.logged.id, each.class_name) for each in changed] == expected
    assert [each.confidence for each in changed] == pytest.approx([answer(each.logged)[1] for each in changed])
    assert found.unknown == sum(each.logged.truth is None for each in changed)


def test_gain_and_harm_are_those_of_brute_force_for_all_rows_and_for_each_class() -> None:
    found, _ = replayed(ROWS)
    known = [(row, name) for row, name in zip(ROWS, ANSWERS, strict=True) if row.truth is not None]
    named = [(found.accuracy, known)]
    named += [(each.recall, [pair for pair in known if pair[0].truth == each.name]) for each in found.classes]
    for figures, pairs in named:
        gain = sum(name == row.truth != row.class_name for row, name in pairs)
        harm = sum(row.class_name == row.truth != name for row, name in pairs)
        before = sum(row.class_name == row.truth for row, _ in pairs)
        assert (figures.truths, figures.gain, figures.harm) == (len(pairs), gain, harm)
        assert figures.before == wilson(before, len(pairs))
        assert figures.after == wilson(before + gain - harm, len(pairs))
        assert figures.change
        assert figures.change.value == pytest.approx((gain - harm) / len(pairs))
        assert figures.change.low == tango(gain, harm, len(pairs), 0.025)
        assert figures.change.high == -tango(harm, gain, len(pairs), 0.025)


def test_classes_changes_and_versions_are_counted() -> None:
    found, changed = replayed(ROWS)
    pairs = Counter((each.logged.class_name, each.class_name) for each in changed)
    assert {(each.served, each.replayed): each.rows for each in found.changes} == pairs
    assert [each.rows for each in found.changes] == sorted(pairs.values(), reverse=True)
    assert sum(each.gain for each in found.changes) == found.accuracy.gain
    assert sum(each.harm for each in found.changes) == found.accuracy.harm
    for each in found.classes:
        own = [(row, name) for row, name in zip(ROWS, ANSWERS, strict=True) if row.class_name == each.name]
        assert (each.served, each.replayed) == (len(own), ANSWERS.count(each.name))
        assert each.alike == wilson(sum(name == each.name for _, name in own), len(own))
    assert [each.version for each in found.served] == [3, 2, 1]
    for version in found.served:
        own = [(row, name) for row, name in zip(ROWS, ANSWERS, strict=True) if row.version == version.version]
        assert version.alike == wilson(sum(row.class_name == name for row, name in own), len(own))


@pytest.mark.parametrize("name", [None, *CLASSES])
def test_confidences_before_and_after_have_the_means_and_quantiles_of_all_their_values(name: str | None) -> None:
    found, _ = replayed(ROWS)
    drift = next((each.confidence for each in found.classes if each.name == name), found.confidence)
    kept = [row for row in ROWS if row.confidence is not None and name in (None, row.class_name)]
    before = np.array([row.confidence for row in kept], dtype=float)
    after = np.array([answer(row)[1] for row in kept])
    assert drift.before
    assert drift.after
    assert drift.change
    assert drift.rows == len(kept)
    for figures, values in ((drift.before, before), (drift.after, after)):
        quantiles = np.quantile(values, QUANTILES, method="inverted_cdf")
        assert figures.quantiles == pytest.approx(quantiles, abs=0.0006)
    means = (drift.before.mean, before), (drift.after.mean, after), (drift.change, after - before)
    for mean, values in means:
        half = Z * values.std(ddof=1) / math.sqrt(len(values))
        assert (mean.value, mean.low, mean.high) == pytest.approx(
            (values.mean(), values.mean() - half, values.mean() + half), abs=1e-6
        )


def test_the_size_of_the_chunks_changes_nothing() -> None:
    whole, changed = replayed(ROWS, size=len(ROWS))
    found, other = replayed(ROWS, size=7)
    assert changed == other
    assert found.model_dump(exclude={"confidence", "classes"}) == whole.model_dump(exclude={"confidence", "classes"})
    assert found.confidence.change
    assert whole.confidence.change
    assert found.confidence.change.value == pytest.approx(whole.confidence.change.value)


def test_a_figure_of_too_few_rows_is_missing_and_its_counts_are_there() -> None:
    few, _ = replayed(ROWS[: LEAST_ROWS - 1])
    assert (few.alike, few.rows) == (None, LEAST_ROWS - 1)
    assert (few.accuracy.before, few.accuracy.after, few.accuracy.change) == (None, None, None)
    assert few.accuracy.truths == (LEAST_ROWS - 1) // 2
    assert (few.confidence.before, few.confidence.change) == (None, None)
    assert replayed(ROWS[:LEAST_ROWS])[0].alike is not None
    assert all((each.recall.change is None) == (each.recall.truths < LEAST_CLASS_TRUTHS) for each in few.classes)


def test_the_limits_are_those_of_the_monitor() -> None:
    assert (LEAST_ROWS, LEAST_ROWS, LEAST_CLASS_TRUTHS) == (enough.SHARE_ROWS, enough.LABELS, enough.CLASS_LABELS)


def test_a_summary_survives_json() -> None:
    found, _ = replayed(ROWS)
    assert ReplaySummary.model_validate_json(found.model_dump_json()) == found


def test_a_class_that_the_model_does_not_know_is_counted_and_never_answered() -> None:
    strange = [row._replace(truth="d", class_name="e") for row in ROWS[:100]]
    found, _ = replayed(strange)
    assert [each.name for each in found.classes] == [*CLASSES, "d", "e"]
    assert (found.changed, found.accuracy.gain, found.accuracy.harm) == (100, 0, 0)


def test_a_model_without_probabilities_has_answers_and_no_confidence() -> None:
    found, changed = replayed(ROWS, without_probabilities())
    assert found.alike == replayed(ROWS)[0].alike
    assert (found.confidence.rows, found.confidence.before) == (0, None)
    assert {each.confidence for each in changed} == {None}


@pytest.mark.parametrize("features", [{"x": 1.0, "y": 2.0}, {"x": 1.0, "y": "2.0", "z": 0.0}, {}], ids=str)
def test_rows_that_lack_a_feature_are_counted_and_left_out(features: dict[str, float | str]) -> None:
    rows = [row._replace(features=features) if place % 4 == 0 else row for place, row in enumerate(ROWS[:400])]
    found, _ = replayed(rows)
    assert (found.rows, found.skipped) == (300, 100)


def test_a_version_that_no_row_fits_is_an_error_that_names_the_feature() -> None:
    rows = [row._replace(features={"x": 1.0, "other": 2.0}) for row in ROWS[:10]]
    with pytest.raises(ReplayError, match=r"no logged row fits version 9, .*prediction p00000 has no usable 'y'"):
        replayed(rows)


def test_a_time_without_rows_is_an_error() -> None:
    with pytest.raises(ReplayError, match="the log has no row"):
        replayed([])


def test_a_model_that_cannot_answer_is_an_error_in_one_line() -> None:
    with pytest.raises(ReplayError, match=r"^version 9 cannot answer: \S.*$") as error:
        replayed(ROWS, failing())
    assert "\n" not in str(error.value)


def test_a_version_of_another_problem_is_refused() -> None:
    with pytest.raises(ReplayError, match="version 9 is of the problem breast_cancer, not of iris"):
        replayed_version(9, largest(problem="breast_cancer"), "iris")


def test_a_bundle_without_features_takes_those_of_the_problem() -> None:
    bare = largest(features=None, problem=None)
    kind = Category("y", "a name", ("n",), "n")
    found = replayed_version(9, bare, "iris", [number("x"), kind, number("z")])
    assert found.misfit(ROWS[0]) == "y"
    assert found.misfit(ROWS[0]._replace(features={"x": 1, "y": "n", "z": 0.5})) is None


@pytest.mark.parametrize(("metadata", "words"), [
    ({"features": None}, "version 9 takes 3 features; 0 are known"),
    ({"features": [{"name": "x", "kind": "number"}]}, "version 9 takes 3 features; 1 are known"),
    ({"features": [{"kind": "number"}]}, "the features in the bundle of version 9 are damaged"),
])  # fmt: skip
def test_a_bundle_whose_features_nobody_knows_is_refused(metadata: dict[str, object], words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        replayed_version(9, largest(**metadata), "iris")


def test_a_row_with_names_is_answered_by_a_version_that_takes_names() -> None:
    version = ReplayedVersion(9, largest(), {"x": (int, float), "y": str})
    fits = ROWS[0]._replace(features={"x": 3, "y": "n", "more": 1.0})
    assert version.misfit(fits) is None
    assert changed_in(version, columns={"y": (int, float)}).misfit(fits) == "y"
