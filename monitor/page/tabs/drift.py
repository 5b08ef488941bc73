"""Tab *Drift*: how far the newest predictions are from what the served version has learnt from."""

from collections.abc import Sequence
from string import ascii_lowercase

from common.store.monitoring.windows import WindowRecord
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import moment, version_link
from monitor.page.tabs.scope import bounds_of
from monitor.statistics.drift import FALSE_DISCOVERIES
from monitor.statistics.enough import DRIFT_ROWS, MEAN_ROWS, SHARE_ROWS
from monitor.statistics.window import WINDOWS_KEPT, Distribution, Evaluation, Subject

MOST_WINDOWS = 60
MOST_LINES = 7  # more cannot be told apart
STATISTICS = {
    "psi": "PSI",
    "wasserstein": "Wasserstein",
    "ks": "Kolmogorov-Smirnov",
    "chi2": "Chi-square",
    "vanished": "Vanished share",
}
NO_WINDOW = (
    "There is no window of these days and versions. Windows need predictions, and are deleted after "
    f"{WINDOWS_KEPT.days} days. Send rows: POST /predict at the api, or python -m scripts.traffic."
)
NO_ROWS = "Nothing was predicted in these windows. POST /predict at the api, or python -m scripts.traffic."
TOO_FEW_ROWS = (
    f"There is not enough data: none of these windows has {DRIFT_ROWS} predictions of the version that it was held "
    "against. POST /predict at the api, or python -m scripts.traffic."
)
NO_REFERENCE = (
    "The window has nothing to be compared with: the served version tells nothing of what it has learnt from. "
    "Start MLflow, and register a version: make train, or python main.py."
)


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels; the distributions are those of the newest window of the span."""
    windows = source.store.windows.between(query.problem, *bounds_of(query), MOST_WINDOWS, query.versions)
    newest = windows[-1] if windows else None
    evaluation = Evaluation.model_validate(newest.evaluation) if newest else None
    subjects = evaluation.subjects if evaluation else {}
    enough = {name: each.distribution for name, each in subjects.items() if each.rows >= SHARE_ROWS}
    distributions = [(name, distribution) for name, distribution in enough.items() if distribution]
    return [
        _window(source, newest, evaluation),
        _verdicts(subjects),
        _lines(windows),
        *(_distribution(number, name, each) for number, (name, each) in enumerate(distributions)),
    ]


def _window(source: Source, window: WindowRecord | None, evaluation: Evaluation | None) -> Panel:
    rows: list[list[Cell]] = []
    if window and evaluation:
        version = version_link(source, window.model_name, window.model_version)
        told = evaluation.outlier_ratio, evaluation.confidence_mean
        rows = [[moment(window.ended_at), moment(window.began_at), version, window.rows, *told]]
    return Panel(
        id="window",
        title="Newest window",
        note=f"Fewer than {SHARE_ROWS} predictions are not enough data for a share or a mean.",
        drawing="table",
        columns=[
            Column(name="ended", label="To", kind="moment"),
            Column(name="began", label="From", kind="moment"),
            Column(name="version", label="Held against", kind="link"),
            Column(name="rows", label="Predictions", kind="integer"),
            Column(name="outliers", label="Outliers", kind="ratio"),
            Column(name="confidence", label="Mean confidence", kind="ratio"),
        ],
        rows=rows,
        empty=NO_WINDOW,
    )


def _verdicts(subjects: dict[str, Subject]) -> Panel:
    told = {name for each in subjects.values() for name in each.statistics}
    names = [name for name in STATISTICS if name in told]
    rows: list[list[Cell]] = [
        [
            *(name, each.verdict or "nothing to compare with", each.rows, each.mean, each.reference_mean),
            *(each.statistics.get(statistic) for statistic in names),
            each.p_value,
        ]
        for name, each in subjects.items()
    ]
    return Panel(
        id="verdicts",
        title="Verdicts",
        note=(
            f"A drift is large by its statistics, and no accident: p below {FALSE_DISCOVERIES}, corrected for their "
            f"number. It takes {DRIFT_ROWS} predictions, and the mean of a feature {MEAN_ROWS} that are no outliers: "
            "outliers are left out of means. Wasserstein is in standard deviations of the training rows."
        ),
        drawing="table",
        columns=[
            Column(name="subject", label="Subject"),
            Column(name="verdict", label="Verdict"),
            Column(name="rows", label="Predictions", kind="integer"),
            Column(name="mean", label="Mean", kind="number"),
            Column(name="reference_mean", label="Mean learnt from", kind="number"),
            *(Column(name=name, label=STATISTICS[name], kind="number") for name in names),
            Column(name="p_value", label="p (uncorrected)", kind="number"),
        ],
        rows=rows,
        empty=NO_WINDOW,
    )


def _lines(windows: Sequence[WindowRecord]) -> Panel:
    indices = [_stability(each) for each in windows]
    newest = next((each for each in reversed(indices) if each), {})
    # What is furthest off now comes first.
    names = sorted(newest, key=lambda name: newest[name], reverse=True)[:MOST_LINES]
    rows: list[list[Cell]] = [
        [moment(window.ended_at), *(found.get(name) for name in names)]
        for window, found in zip(windows, indices, strict=True)
    ]
    columns = [Column(name=f"subject:{name}", label=name, kind="number") for name in names]
    return Panel(
        id="psi",
        title="Population stability index by window",
        note=f"The newest {MOST_WINDOWS} windows at most; the {MOST_LINES} subjects that are furthest off in the last.",
        drawing="line",
        columns=[Column(name="ended", label="Window to", kind="moment"), *columns],
        rows=rows if names else [],
        empty=_nothing_to_draw(windows),
    )


def _nothing_to_draw(windows: Sequence[WindowRecord]) -> str:
    if not windows:
        return NO_WINDOW
    if windows[-1].model_version is None:
        return NO_REFERENCE
    return TOO_FEW_ROWS if any(window.rows for window in windows) else NO_ROWS


def _stability(window: WindowRecord) -> dict[str, float]:
    # Of sixty windows one number each: reading them as models would take longer than all the rest.
    subjects = window.evaluation.get("subjects", {})
    return {name: each["statistics"]["psi"] for name, each in subjects.items() if "psi" in each["statistics"]}


def _distribution(number: int, name: str, found: Distribution) -> Panel:
    reference: Sequence[Cell] = found.reference or [None] * len(found.labels)
    rows: list[list[Cell]] = [list(row) for row in zip(found.labels, reference, found.window, strict=True)]
    return Panel(
        id=f"shares-{_letters(number)}",
        title=f"Distribution of {name}",
        drawing="bars",
        columns=[
            Column(name="value", label="Value"),
            Column(name="reference", label="Learnt from", kind="ratio"),
            Column(name="window", label="Newest window", kind="ratio"),
        ],
        rows=rows,
        empty=NO_WINDOW,
    )


def _letters(number: int) -> str:
    """Return 0 as a, 25 as z, 26 as aa: what names a panel has no digits."""
    more, last = divmod(number, len(ascii_lowercase))
    return (_letters(more - 1) if more else "") + ascii_lowercase[last]
