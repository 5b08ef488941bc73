"""Tab *Champion and challenger*: each on its own rows, both on the same rows, and a replay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.evaluate import classes_of, matrix_of
from common.store.statistics import LabelSum, Paired, VolumeSum
from common.store.tables import Role
from monitor.page.panels import Panel, PanelTable, PanelText, Rows, columns
from monitor.page.tabs import cells, replays
from monitor.page.tabs.comparison_words import SIGNIFICANT, gauges, p_value, standing, total, verdict
from monitor.page.tabs.verdicts import counting
from monitor.page.view import ROLE_NAMES, View
from monitor.statistics.duel import live_duel
from monitor.statistics.estimates import INTERVAL, METRICS, Estimates, performance

NO_PAIRS = (
    "No row that both versions have answered has a ground truth. Make a version the challenger: "
    "POST /models/{version}/challenge at the api; then send rows, and feedback: POST /feedback."
)
VERSIONS = PanelText(
    "versions",
    "Side by side",
    cells.NO_PREDICTIONS,
    "Each version on all rows that it has answered in its role; precision, recall and F1 are means of the classes.",
)
METRICS_TEXT = PanelText(
    "metrics",
    "Metrics side by side",
    cells.NO_LABELS,
    f"With {INTERVAL} intervals. Whether two intervals overlap says little: read the verdict above.",
    "bars",
)
PAIRS = PanelText("pairs", "On the rows that both have answered", NO_PAIRS, "Only rows with ground truth.")
TEST = PanelText(
    "test",
    "McNemar's exact test",
    NO_PAIRS,
    "The probability that two equally good versions differ at least as much as these two, by chance alone.",
)
NO_DUEL = (
    "There is no e-value: fine-tuning has made neither of these versions, so that a person decides. To promote a "
    "version: POST /models/{version}/promote at the api."
)
NO_CHALLENGER = (
    "No version that fine-tuning has made is compared with another one now. Send corrections for it: POST /suggest at "
    "the api."
)
DUEL = PanelText("duel", "Which version is better", NO_CHALLENGER, drawing="gauges")


@dataclass(frozen=True)
class Side:
    """A version in its role, with its counts and metrics."""

    role: Role
    version: int
    predictions: int
    outliers: int
    labels: int
    metrics: Estimates


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    sides = [_side(role, version, view.label_sums, view.volume_sums) for role, version in view.served.by_role()]
    paired = _paired(view)
    own = [_duel(view, paired), _pairs(paired), _versions(view, sides), _metrics(sides), _test(paired)]
    return [*own, *replays.panels(view)]


def _side(role: Role, version: int, labels: Sequence[LabelSum], volumes: Sequence[VolumeSum]) -> Side:
    labelled = [each for each in labels if (each.role, each.model_version) == (role, version)]
    answered = [each for each in volumes if (each.role, each.model_version) == (role, version)]
    return Side(
        role=role,
        version=version,
        predictions=sum(each.predictions for each in answered),
        outliers=sum(each.outliers for each in answered),
        labels=sum(each.labels for each in labelled),
        metrics=performance(matrix_of(labelled, classes_of((), labelled))),
    )


def _paired(view: View) -> Paired:
    champion, challenger = view.served.champion, view.served.challenger
    if champion is None or challenger is None:
        return Paired()
    return view.store.statistics.paired(view.span, champion, challenger)


def _versions(view: View, sides: Sequence[Side]) -> Panel:
    return (
        PanelTable(VERSIONS, sides)
        .add("text", "role", "Role", lambda side: ROLE_NAMES[side.role])
        .column(cells.VERSION, lambda side: view.version_link(side.version))
        .add("integer", "predictions", "Predictions", lambda side: side.predictions)
        .add("ratio", "outliers", "Outliers", lambda side: cells.share(side.outliers, side.predictions))
        .add("integer", "labels", cells.WITH_TRUTH, lambda side: side.labels)
        .columns(cells.metric_columns(), lambda side: cells.metric_cells(side.metrics))
        .panel()
    )


def _metrics(sides: Sequence[Side]) -> Panel:
    rows = [
        [cells.METRIC_LABELS[name], *cells.estimate_cells(*(side.metrics[name] for side in sides))] for name in METRICS
    ]
    labels: dict[str, str] = {side.role: f"{ROLE_NAMES[side.role]}, version {side.version}" for side in sides}
    return METRICS_TEXT.panel(
        [*columns("text", metric="Metric"), *cells.estimate_columns(labels)],
        rows,
        has_data=any(side.labels for side in sides),
    )


def _pairs(paired: Paired) -> Panel:
    rows: Rows = [
        ["Champion right", paired.both_right, paired.only_champion_right],
        ["Champion wrong", paired.only_challenger_right, paired.both_wrong],
    ]
    answers = columns("integer", right="Challenger right", wrong="Challenger wrong")
    return PAIRS.panel([*columns("text", champion="Rows"), *answers], rows, has_data=bool(total(paired)))


def _test(paired: Paired) -> Panel:
    p, truths = p_value(paired), total(paired)
    first, second = paired.only_champion_right, paired.only_challenger_right
    found = f"only the champion is right on {first}, only the challenger on {second}"
    return TEST.panel(
        [
            *columns("text", name="Figure"),
            *columns("p", value="p"),
            *columns("integer", rows="Rows"),
            *columns("text", text="Remark"),
        ],
        [["p-value", p, truths, found]],
        has_data=bool(truths),
    )


def _duel(view: View, paired: Paired) -> Panel:
    model, served = (view.span.problem, view.span.model_name), view.served
    aliases = view.backends.references.aliases(view.span.model_name)
    versions = (aliases.champion, aliases.challenger) if aliases else (None, None)
    duel = live_duel(view.store, model, *versions, trusted_only=view.backends.trusted_only)
    note = (
        f"The sentence is of the selected days, by McNemar's exact test at {100 * SIGNIFICANT:.0f} %. The bars are of "
        f"now: the lab acts when an e-value reaches its threshold, however often anybody looks. {counting(view)}"
    )
    empty = NO_DUEL if None not in versions else NO_CHALLENGER
    panel = (
        PanelTable(
            replace(DUEL, note=f"{standing(duel)} {note}" if duel else "", empty=empty), gauges(duel) if duel else ()
        )
        .add("text", "name", "E-value", lambda each: each.name)
        .add("number", "value", "Value", lambda each: each.value)
        .add("number", "threshold", "Threshold", lambda each: each.threshold)
        .add("text", "text", "In words", lambda each: each.words)
        .panel()
    )
    if served.champion is not None and served.challenger is not None:
        panel.headline = verdict(paired, served.champion, served.challenger)
    return panel
