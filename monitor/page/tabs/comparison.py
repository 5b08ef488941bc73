"""Tab *Champion and challenger*: each on its own rows, both on the same rows, and a replay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.evaluate import classes_of, matrix_of, mcnemar
from common.judgement.betting import PROMOTE_AT, RETIRE_AT, ROLL_BACK_AT
from common.store.statistics import LabelSum, Paired, VolumeSum
from common.store.tables import Role
from monitor.page.panels import Cell, Panel, PanelTable, PanelText, Rows, columns
from monitor.page.tabs import cells, replays
from monitor.page.tabs.verdicts import counting
from monitor.page.view import ROLE_NAMES, View
from monitor.statistics.duel import LiveDuel, live_duel
from monitor.statistics.enough import LABELS
from monitor.statistics.estimates import INTERVAL, METRICS, Estimates, performance

SIGNIFICANT = 0.05
SMALL = 0.001
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
    f"With {INTERVAL} intervals. Whether two intervals overlap says little: read the test below.",
    "bars",
)
PAIRS = PanelText("pairs", "On the rows that both have answered", NO_PAIRS, "Only rows with ground truth.")
TEST = PanelText(
    "test",
    "McNemar's exact test",
    NO_PAIRS,
    "The probability that two equally good versions differ at least as much as these two, by chance alone.",
    "figures",
)


DUEL = PanelText(
    "duel",
    "The new version on live ground truths",
    "No version that fine-tuning has made is compared with another one now. Send corrections for it: POST /suggest at "
    "the api.",
    drawing="figures",
)


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
    own = [_versions(view, sides), _metrics(sides), _duel(view), _pairs(paired), _test(paired)]
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
    return PAIRS.panel([*columns("text", champion="Rows"), *answers], rows, has_data=bool(_total(paired)))


def _test(paired: Paired) -> Panel:
    p_value = mcnemar(paired.only_champion_right, paired.only_challenger_right)
    rows: Rows = [["p-value", p_value, None, None, _verdict(paired, p_value)]]
    return TEST.panel(cells.figures("number"), rows, has_data=bool(_total(paired)))


def _verdict(paired: Paired, p_value: float) -> str:
    first, second = paired.only_champion_right, paired.only_challenger_right
    found = f"Of {_total(paired)} rows, only the champion is right on {first}, only the challenger on {second}"
    p = f"p < {SMALL}" if p_value < SMALL else f"p = {p_value:.2g}"
    if p_value >= SIGNIFICANT:
        return f"{found}: the difference may be chance ({p})."
    better = "champion" if first > second else "challenger"
    return f"{found}: the {better} is better, and chance hardly explains it ({p})."


def _duel(view: View) -> Panel:
    model = view.span.problem, view.span.model_name
    aliases = view.backends.references.aliases(view.span.model_name)
    versions = (aliases.champion, aliases.challenger) if aliases else (None, None)
    duel = live_duel(view.store, model, *versions, trusted_only=view.backends.trusted_only)
    note = f"Now, whatever days are selected. {counting(view)} docs/judgement.md explains the e-value."
    rows = _duel_rows(duel) if duel else []
    return replace(DUEL, note=note).panel(cells.figures("number"), rows)


def _duel_rows(duel: LiveDuel) -> Rows:
    place = "challenger, on trial" if duel.on_trial else "champion, on probation"
    rows: list[Sequence[Cell]] = [
        [f"Only version {duel.new} right", duel.wins, None, None, f"the new version: {place}"],
        [f"Only version {duel.old} right", duel.losses, None, None, "the version that it is compared with"],
        ["Both right, or both wrong", duel.ties, None, None, f"of {duel.truths} ground truths"],
    ]
    values: list[tuple[str, float | None, str]] = [("worse", duel.worse, f"rolled back at {ROLL_BACK_AT:.0f}")]
    if duel.on_trial:
        values = [
            ("not worse", duel.not_worse, f"promoted at {PROMOTE_AT:.0f}; if PROMOTION=manual, by a person"),
            ("worse", duel.worse, f"retired at {RETIRE_AT:.0f}"),
        ]
    for claim, value, what in values:
        known = value is not None and duel.truths >= LABELS
        remark = what if known else f"not enough data: fewer than {LABELS} ground truths; {what}"
        rows.append([f"E-value: {claim}", value if known else None, None, None, remark])
    return rows


def _total(paired: Paired) -> int:
    return sum(vars(paired).values())
