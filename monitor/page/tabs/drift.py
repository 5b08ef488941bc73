"""Tab *Drift*: the distance of the newest predictions from the reference of the served version."""

from collections.abc import Sequence
from string import ascii_lowercase

from common.store.monitoring.windows import WindowRecord
from monitor.page.findings import Findings
from monitor.page.panels import Cell, Panel, PanelTable, PanelText, columns
from monitor.page.tabs.drift_findings import enough, findings, headline
from monitor.page.view import View
from monitor.statistics.drift import FALSE_DISCOVERIES
from monitor.statistics.enough import DRIFT_ROWS, MEAN_ROWS, SHARE_ROWS
from monitor.statistics.window import WINDOWS_KEPT, Distribution, Evaluation

MOST_WINDOWS = 60
MOST_LINES = 7  # a reader cannot tell more lines apart
STATISTICS = {
    "psi": "PSI",
    "wasserstein": "Wasserstein, in standard deviations",
    "ks": "Kolmogorov-Smirnov",
    "chi2": "Chi-square",
    "vanished": "Rows of training whose name is gone",
}
SEND = "Send rows: POST /predict at the api, or python -m scripts.traffic."
NO_WINDOW = (
    "There is no window of these days and versions. Windows need predictions, and are deleted after "
    f"{WINDOWS_KEPT.days} days. {SEND}"
)
NO_ROWS = f"These windows have no predictions. {SEND}"
TOO_FEW_ROWS = (
    f"There is not enough data: none of these windows has {DRIFT_ROWS} predictions of the version that it was compared "
    f"with. {SEND}"
)
NO_REFERENCE = (
    "The window cannot be compared: the bundle of the served version has no reference. Start MLflow, and register a "
    "version: make train, or python main.py."
)
WINDOW = PanelText(
    "window",
    "Newest window",
    NO_WINDOW,
    f"A share or a mean needs {SHARE_ROWS} predictions; with fewer it is left out.",
)
VERDICTS = PanelText(
    "verdicts",
    "Verdicts",
    NO_WINDOW,
    f"A drift has a statistic above its limit, and p below {FALSE_DISCOVERIES} after a correction for the number of "
    f"subjects. A verdict needs {DRIFT_ROWS} predictions, a mean {MEAN_ROWS}.",
    "findings",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab; the distributions are those of the newest selected window."""
    chosen = view.selection
    windows = view.store.windows.between(chosen.problem, *view.bounds, MOST_WINDOWS, chosen.versions)
    newest = windows[-1] if windows else None
    evaluation = Evaluation.model_validate(newest.evaluation) if newest else None
    shares = [
        _distribution(place, name, each.distribution)
        for place, (name, each) in enumerate(evaluation.subjects.items() if evaluation else ())
        if each.distribution and each.rows >= SHARE_ROWS
    ]
    return [_verdicts(evaluation), _window(view, newest, evaluation), _stability_by_window(windows), *shares]


def _window(view: View, window: WindowRecord | None, evaluation: Evaluation | None) -> Panel:
    windows = [(window, evaluation)] if window and evaluation else []

    def version(each: tuple[WindowRecord, Evaluation]) -> str | None:
        return view.version_link(each[0].model_version, each[0].model_name)

    return (
        PanelTable(WINDOW, windows)
        .add("moment", "ended", "To", lambda each: each[0].ended_at)
        .add("moment", "began", "From", lambda each: each[0].began_at)
        .add("link", "version", "Compared with", version)
        .add("integer", "rows", "Predictions", lambda each: each[0].rows)
        .add("text", "enough", "For a verdict", lambda each: enough(each[0].rows))
        .add("ratio", "outliers", "Outliers", lambda each: each[1].outlier_ratio)
        .add("ratio", "confidence", "Mean confidence", lambda each: each[1].confidence_mean)
        .panel()
    )


def _verdicts(evaluation: Evaluation | None) -> Panel:
    found = findings(evaluation) if evaluation else []
    known = {name for each in found for name in each.subject.statistics}
    labels = {name: label for name, label in STATISTICS.items() if name in known}
    statistics = columns("number", **labels)
    panel = (
        PanelTable(VERDICTS, found)
        .add("text", "subject", "Subject", lambda each: each.name)
        .add("text", "verdict", "Verdict", lambda each: each.subject.verdict or "nothing to compare with")
        .add("text", "sentence", "In words", lambda each: each.sentence)
        .add("integer", "rows", "Predictions", lambda each: each.subject.rows)
        .add("number", "mean", "Mean without outliers", lambda each: each.subject.mean)
        .add("number", "reference_mean", "Mean of the reference", lambda each: each.subject.reference_mean)
        .columns(statistics, lambda each: [each.subject.statistics.get(name) for name in labels])
        .add("p", "p_value", "p (uncorrected)", lambda each: each.subject.p_value)
        .panel()
    )
    if evaluation:
        panel.headline = headline(evaluation)
        panel.findings = Findings(levels=[each.level for each in found], ids=[_letters(each.place) for each in found])
    return panel


def _stability_by_window(windows: Sequence[WindowRecord]) -> Panel:
    indices = [_stability(each) for each in windows]
    newest = next((each for each in reversed(indices) if each), {})
    # The subject with the largest index now comes first.
    names = sorted(newest, key=lambda name: newest[name], reverse=True)[:MOST_LINES]
    rows = [
        [window.ended_at, enough(window.rows), *(found.get(name) for name in names)]
        for window, found in zip(windows, indices, strict=True)
    ]
    note = (
        f"The newest {MOST_WINDOWS} windows at most; the {MOST_LINES} subjects with the largest index in the last one. "
        f"A gap is a window with fewer than {DRIFT_ROWS} predictions: not enough data."
    )
    title = "Population stability index by window"
    return PanelText("psi", title, _advice(windows), note, "line").panel(
        [
            *columns("moment", ended="Window to"),
            *columns("text", enough="For a verdict"),
            *columns("number", **{f"subject:{name}": name for name in names}),
        ],
        rows,
        has_data=bool(names),
    )


def _advice(windows: Sequence[WindowRecord]) -> str:
    if not windows:
        return NO_WINDOW
    if windows[-1].model_version is None:
        return NO_REFERENCE
    return TOO_FEW_ROWS if any(window.rows for window in windows) else NO_ROWS


def _stability(window: WindowRecord) -> dict[str, float]:
    # One number of each of sixty windows: validating them all as models would take longer than the rest of the page.
    subjects = window.evaluation.get("subjects", {})
    return {name: each["statistics"]["psi"] for name, each in subjects.items() if "psi" in each["statistics"]}


def _distribution(place: int, name: str, found: Distribution) -> Panel:
    reference: Sequence[Cell] = found.reference or [None] * len(found.labels)
    text = PanelText(f"shares-{_letters(place)}", f"Distribution of {name}", NO_WINDOW, drawing="shares")
    panel = text.panel(
        [*columns("text", value="Value"), *columns("ratio", reference="Reference", window="Newest window")],
        zip(found.labels, reference, found.window, strict=True),
    )
    return panel.model_copy(update={"within": VERDICTS.id})


def _letters(number: int) -> str:
    """Return 0 as a, 25 as z, 26 as aa: the id of a panel has no digits."""
    more, last = divmod(number, len(ascii_lowercase))
    return (_letters(more - 1) if more else "") + ascii_lowercase[last]
