"""The numbers of the tabs are those that scikit-learn finds in the same rows."""

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
import sklearn.metrics
from scipy.stats import binomtest

from common.store import Store
from monitor.page.panels import Cell
from monitor.page.tabs import classes, comparison, metrics, overview, samples
from monitor.page.view import Backends, Selection, View
from monitor.statistics.estimates import CLASS_METRICS, METRICS
from tests.common.store.rows import CLASSES, NOON, SETOSA, prediction
from tests.monitor.page.tabs.judges import class_scores, scores
from tests.monitor.page.tabs.log import FIRST, LAST, Log, asking, by_id, cells, pairs, table

if TYPE_CHECKING:
    from common.store.tables import Role

# All of it; days of which both ends count; versions of which one was champion only on later days.
SELECTIONS = [asking(), asking(date(2026, 3, 2), date(2026, 3, 3)), asking(FIRST, LAST, 2), asking(FIRST, LAST, 2, 3)]
ROLES: dict[str, "Role"] = {"champion": "champion", "challenger": "shadow"}
LABELS = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}
asked = pytest.mark.parametrize(
    "selection", SELECTIONS, ids=lambda selection: f"{selection.since}-{selection.until}-{selection.versions}"
)


@asked
def test_the_overview_counts_and_judges_the_champions_answers(logged: Backends, log: Log, selection: Selection) -> None:
    rows, (truth, _) = log.of("champion", selection), log.labelled("champion", selection)
    panels = by_id(overview.build(View(logged, selection)))
    counts = {name: each["value"] for name, each in table(panels["counts"]).items()}
    outliers = sum(row.is_outlier for row in rows)
    assert counts == {
        "Predictions": len(rows),
        "With ground truth": len(truth),
        "Outliers": outliers,
        "Open alerts": 0,
    }
    # The quality is the champion's own: other versions have their lines on the tab of the metrics.
    champion = View(logged, selection).served.champion
    expected = scores(*log.labelled("champion", selection, champion))
    found = table(panels["metrics"])
    assert {name: found[LABELS[name]]["value"] for name in METRICS} == pytest.approx(expected)
    for name, value in expected.items():
        low, high = found[LABELS[name]]["low"], found[LABELS[name]]["high"]
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert 0 <= low < value < high <= 1, name


@asked
def test_the_metrics_of_each_day_are_those_of_its_rows(logged: Backends, log: Log, selection: Selection) -> None:
    panels = by_id(metrics.build(View(logged, selection)))
    for name, panel_id in metrics.IDS.items():
        for day, found in table(panels[panel_id]).items():
            assert_day(log, selection, name, str(day), found)
    days = {row.day for role in ("champion", "shadow") for row in log.of(role, selection)}
    assert list(table(panels["accuracy"])) == [str(day) for day in sorted(days)]


def assert_day(log: Log, selection: Selection, name: str, day: str, found: dict[str, Cell]) -> None:
    for role in ROLES.values():
        truth, predicted = pairs([row for row in log.of(role, selection) if str(row.day) == day])
        expected = scores(truth, predicted)[name] if truth else None
        assert found.get(role) == pytest.approx(expected), (day, role)


def test_the_coverage_of_a_day_is_its_share_of_known_truths(logged: Backends, log: Log) -> None:
    panels = by_id(metrics.build(View(logged, asking())))
    delays = {str(each.day): each.mean_seconds for each in logged.store.history.delays(View(logged, asking()).span)}
    for day, found in table(panels["labels"]).items():
        rows = [row for row in log.of("champion") if str(row.day) == day]
        known = sum(row.truth is not None for row in rows)
        assert (found["predictions"], found["labels"]) == (len(rows), known)
        assert found["coverage"] == table(panels["coverage"])[day]["champion"] == pytest.approx(known / len(rows))
        assert found["delay"] == delays.get(str(day))
        assert (found["delay"] is not None) == bool(known)
    assert table(panels["coverage"])[str(LAST)] == {"day": str(LAST), "champion": 0, "shadow": None}


@asked
def test_samples_are_counted_by_predicted_and_by_true_class(logged: Backends, log: Log, selection: Selection) -> None:
    panels = by_id(samples.build(View(logged, selection)))
    rows = log.of("champion", selection)
    counts = {name: each["samples"] for name, each in table(panels["predicted"]).items()}
    assert counts == Counter(row.predicted for row in rows)
    counts = {name: each["samples"] for name, each in table(panels["validated"]).items()}
    assert counts == Counter(log.labelled("champion", selection)[0])
    for panel_id, field in (("predicted-by-day", "predicted"), ("validated-by-day", "truth")):
        for day, counted in table(panels[panel_id]).items():
            expected = Counter(getattr(row, field) for row in rows if str(row.day) == day)
            assert {name: counted[f"class:{name}"] for name in CLASSES} == {name: expected[name] for name in CLASSES}


@asked
def test_each_class_has_its_metrics_and_its_row_of_the_matrix(logged: Backends, log: Log, selection: Selection) -> None:
    panels = by_id(classes.build(View(logged, selection)))
    for panel_id, role in ROLES.items():
        truth, predicted = log.labelled(role, selection)
        expected = class_scores(truth, predicted, CLASSES)
        found = table(panels[panel_id])
        for name in CLASSES:
            assert [found[name][metric] for metric in CLASS_METRICS] == pytest.approx(expected[name])
        matrix = [row[1:] for row in panels[f"{panel_id}-confusion"].rows]
        assert matrix == sklearn.metrics.confusion_matrix(truth, predicted, labels=CLASSES).tolist()


@asked
def test_each_class_has_its_metrics_of_each_day(logged: Backends, log: Log, selection: Selection) -> None:
    panel = by_id(classes.build(View(logged, selection)))["by-day"]
    found = {(row[0], row[1], row[2]): named for row, named in zip(panel.rows, cells(panel), strict=True)}
    places: dict[str, Role] = {"Champion": "champion", "Challenger": "shadow"}
    days = {place: {row.day for row in log.of(role, selection) if row.truth} for place, role in places.items()}
    assert found.keys() == {(str(day), place, name) for place in places for day in days[place] for name in CLASSES}
    for (day, place, name), row in found.items():
        truth, predicted = pairs([row for row in log.of(places[str(place)], selection) if str(row.day) == day])
        assert [row[metric] for metric in CLASS_METRICS] == pytest.approx(
            class_scores(truth, predicted, CLASSES)[str(name)]
        )
        assert row["labels"] == truth.count(str(name))


def test_metrics_by_day_and_class_are_of_the_newest_days(store: Store, backends: Backends) -> None:
    days = [NOON + timedelta(days=number) for number in range(classes.MOST_DAYS + 2)]
    for number, day in enumerate(days):
        store.predictions.write([prediction(str(number), at=day)])
        store.feedback.give(str(number), SETOSA)
    panel = by_id(classes.build(View(backends, asking(FIRST, days[-1].date()))))["by-day"]
    assert [row[0] for row in panel.rows] == [str(day.date()) for day in days[2:]]


@pytest.mark.parametrize(
    ("selection", "champion", "challenger"),
    [
        (asking(), 2, 3),
        (asking(FIRST, date(2026, 3, 2)), 1, 2),
        (asking(FIRST, LAST, 1, 2), 2, None),
        (asking(FIRST, LAST, 1), 1, None),
    ],
)
def test_champion_and_challenger_stand_side_by_side(
    logged: Backends, log: Log, selection: Selection, champion: int, challenger: int | None
) -> None:
    panels = by_id(comparison.build(View(logged, selection)))
    found = table(panels["versions"])
    places: dict[str, tuple[Role, int | None]] = {
        "Champion": ("champion", champion),
        "Challenger": ("shadow", challenger),
    }
    assert set(found) == {place for place, (_, version) in places.items() if version}
    for place, (role, version) in places.items():
        if version:
            truth, predicted = log.labelled(role, selection, version)
            assert (found[place]["predictions"], found[place]["labels"]) == (
                len(log.of(role, selection, version)),
                len(truth),
            )
            expected = scores(truth, predicted) if truth else dict.fromkeys(METRICS)
            assert {name: found[place][name] for name in METRICS} == pytest.approx(expected)
            bars = table(panels["metrics"])
            assert {name: bars[LABELS[name]][role] for name in METRICS} == pytest.approx(expected)


def test_the_paired_test_is_over_the_rows_that_both_have_answered(logged: Backends, log: Log) -> None:
    panels = by_id(comparison.build(View(logged, asking())))
    second = {row.id: row for row in log.of("shadow", version=3)}
    both = [(row, second[row.id]) for row in log.of("champion", version=2) if row.id in second and row.truth]
    counts = Counter((one.predicted == one.truth, two.predicted == two.truth) for one, two in both)
    found = {name: (row["right"], row["wrong"]) for name, row in table(panels["pairs"]).items()}
    assert found == {
        "Champion right": (counts[True, True], counts[True, False]),
        "Champion wrong": (counts[False, True], counts[False, False]),
    }
    apart = counts[True, False] + counts[False, True]
    [test] = table(panels["test"]).values()
    assert test["value"] == pytest.approx(binomtest(counts[True, False], apart, 0.5).pvalue)
    assert test["rows"] == len(both)
