"""Tab *Overview*: is it well, what should somebody do now, how often are the answers right, and what is wrong."""

from typing import TYPE_CHECKING

import numpy as np

from common.evaluate import classes_of, matrix_of, wilson
from common.store.monitoring.prediction_search import Search
from common.store.predictions import LoggedPrediction
from common.store.statistics import LabelSum
from monitor.page.commands import TRAFFIC, TRAIN
from monitor.page.next_steps import next_steps
from monitor.page.panels import Panel, PanelTable, PanelText, Rows, columns
from monitor.page.situation import (
    Situation,
    accuracy_verdict,
    alert_level,
    outliers_verdict,
    status,
    worst_first,
)
from monitor.page.tabs import cells
from monitor.page.tabs.alert_list import alert_list
from monitor.page.tabs.storage import storage_panels
from monitor.page.tabs.verdicts import wanted
from monitor.page.view import ROLE_NAMES, View, of_champion
from monitor.statistics.enough import LABELS
from monitor.statistics.estimates import INTERVAL, METRICS, Estimates, performance

if TYPE_CHECKING:
    from monitor.page.findings import Level

NOW = PanelText(
    "status",
    "What should I do now?",
    "Nothing needs you now: no alert is open and nothing waits for a person.",
    drawing="steps",
)
COUNTS = PanelText(
    "counts",
    "Predictions and ground truth",
    cells.NO_PREDICTIONS,
    "All predictions of the chosen time that clients received, by any version.",
    "figures",
)
SERVED = PanelText(
    "served",
    "Versions in service",
    f"No version has answered in the chosen time. Send rows: `{TRAFFIC}`",
    "Clients receive the champion's answers. The challenger answers the same rows for comparison only.",
)
CHAMPIONS = PanelText(
    "champions",
    "Champions of the chosen time",
    f"No version became champion in the chosen time. Train one: `{TRAIN}`",
    "When each version became champion, how, and the reason if the lab itself decided.",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    found = situation(view)
    labels = _champions_own(view)
    return [
        _now(found),
        _quality(found, performance(matrix_of(labels, classes_of((), labels)))),
        _counts(view, found),
        alert_list(view, found.alerts),
        _served(view),
        _champions(view),
        *storage_panels(view),
    ]


def situation(view: View) -> Situation:
    """Read the situation of the view's problem from the store, the registry and the settings."""
    chosen, backends = view.selection, view.backends
    problem, volumes = chosen.problem, of_champion(view.volume_sums)
    labels = _champions_own(view)
    matrix = matrix_of(labels, classes_of((), labels))
    reference = backends.references.of(view.span.model_name)
    tested = reference.tested if reference and reference.version == view.served.champion else None
    judgement, waiting = wanted(view)
    api = backends.feedback
    return Situation(
        problem=problem,
        has_history=bool(view.models),
        champion=view.served.champion,
        predictions=sum(each.predictions for each in volumes),
        outliers=sum(each.outliers for each in volumes),
        labels=int(matrix.sum()),
        accuracy=wilson(int(np.trace(matrix)), int(matrix.sum())),
        tested=wilson(int(np.trace(tested.matrix)), int(tested.matrix.sum())) if tested else None,
        # The monitor's own alerts count, too: a failing job hides bad news.
        alerts=worst_first([*view.store.alerts.open(problem), *view.store.alerts.open("")]),
        wanted=len(waiting),
        wanted_version=judgement.version if judgement else None,
        quarantined=view.store.trust.queue.total(problem),
        unsent=view.store.correction_history.unsent(problem),
        unserved=backends.references.unserved(problem),
        unlabelled=_unlabelled(view) if matrix.sum() < LABELS else None,
        api=api.url if api and view.takes_forms else "",
        needs_key=backends.trusted_only,
    )


def _unlabelled(view: View) -> LoggedPrediction | None:
    search = Search(view.selection.problem, *view.bounds, only="unlabelled")
    return next(iter(view.store.prediction_search.page(search, 1).rows), None)


def _champions_own(view: View) -> list[LabelSum]:
    version = view.served.champion
    return [each for each in of_champion(view.label_sums) if version in {None, each.model_version}]


def _now(found: Situation) -> Panel:
    steps = next_steps(found)
    panel = (
        PanelTable(NOW, steps)
        .add("text", "words", "What to do", lambda each: each.words)
        .add("text", "url", "Page", lambda each: each.url)
        .add("text", "command", "Command", lambda each: each.command)
        .panel()
    )
    panel.headline = status(found)
    return panel


def _counts(view: View, found: Situation) -> Panel:
    with_truth = sum(each.labels for each in of_champion(view.label_sums))
    outliers, why = outliers_verdict(found)
    alerts: Level = alert_level(found.alerts[0]) if found.alerts else "good"
    worst = f"the worst: {found.alerts[0].kind.replace('_', ' ')}" if found.alerts else "now"
    rows: Rows = [
        ["Predictions", found.predictions, None, None, "received by clients"],
        [
            cells.WITH_TRUTH,
            with_truth,
            None,
            None,
            f"{cells.percent(with_truth, found.predictions)} of the predictions",
        ],
        ["Outliers", found.outliers, None, None, why],
        ["Open alerts", len(found.alerts), None, None, worst],
    ]
    panel = COUNTS.panel(cells.figures("integer"), rows, has_data=bool(found.predictions or found.alerts))
    levels: list[Level] = ["unknown", "unknown", outliers, alerts]
    panel.levels = levels if panel.rows else []
    return panel


def _quality(found: Situation, estimates: Estimates) -> Panel:
    level, why = accuracy_verdict(found)
    version = f"version {found.champion}" if found.champion else "the champion"
    text = PanelText(
        "metrics",
        f"How often {version} is right",
        cells.NO_LABELS,
        f"Of its {found.labels:,} predictions of the chosen time that have a ground truth. With {INTERVAL} intervals.",
        "figures",
    )
    remarks = {"accuracy": why}
    rows: Rows = [
        [cells.METRIC_LABELS[name], *cells.estimate_cells(estimates[name]), remarks.get(name, "mean of the classes")]
        for name in METRICS
    ]
    panel = text.panel(cells.figures("ratio"), rows, has_data=bool(found.labels))
    # The other figures are means over the classes, with which the test rows are not compared.
    levels: list[Level] = [level if name == "accuracy" else "unknown" for name in METRICS]
    panel.levels = levels if panel.rows else []
    return panel


def _served(view: View) -> Panel:
    rows = []
    answered, with_truth = (
        cells.counted(sums, "role", "model_version") for sums in (view.volume_sums, view.label_sums)
    )
    for role, version in view.served.by_role():
        since, how = view.champion_since.get(version, (None, None)) if role == "champion" else (None, None)
        totals = answered[role, version], with_truth[role, version]
        rows.append([ROLE_NAMES[role], view.version_link(version), since, how, *totals])
    became = [*columns("moment", since="Champion since"), *columns("text", how="How")]
    counts = columns("integer", predictions="Predictions", labels=cells.WITH_TRUTH)
    return SERVED.panel([*columns("text", role="Role"), cells.VERSION, *became, *counts], rows)


def _champions(view: View) -> Panel:
    since, until = view.bounds
    periods = [
        each
        for each in reversed(view.store.champions.history(view.span.model_name))
        if since <= each.since < until and (not view.span.versions or each.model_version in view.span.versions)
    ]
    return (
        PanelTable(CHAMPIONS, periods)
        .column(cells.VERSION, lambda each: view.version_link(each.model_version))
        .add("moment", "since", "Champion since", lambda each: each.since)
        .add("text", "how", "How", lambda each: each.how)
        .add("text", "because", "Reason", lambda each: each.because)
        .panel()
    )
