"""The situation of a problem in the chosen time as plain numbers, and the overview's verdict on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.evaluate import Estimate, wilson
from common.store.monitoring.alerts import Alert
from common.store.predictions import LoggedPrediction
from monitor.follow_registry import Unserved
from monitor.page.findings import Headline, Level
from monitor.statistics.breaches import ACCURACY, OUTLIER_LIMIT, RECALL
from monitor.statistics.digits import count_text, limit_text, percent_text, percentage_text
from monitor.statistics.enough import LABELS, SHARE_ROWS

# Answers are known to be worse. All other alerts say that they may be.
BAD_KINDS = frozenset({ACCURACY, RECALL})


@dataclass(frozen=True)
class Situation:
    """Everything that decides how the problem does and what to do about it.

    Attributes:
        has_history: whether the problem has had predictions at any time.
        champion: the number of the version that serves; None if none does, or if that is unknown.
        predictions: of the chosen time, answered as champion.
        outliers: of these.
        labels: the champion's predictions of the chosen time that have a ground truth.
        accuracy: of these; None without any.
        tested: the accuracy of the same version on its test rows; None if that is unknown.
        alerts: the open ones, worst first.
        wanted: predictions whose ground truth would decide the open verdict on a version.
        wanted_version: that version.
        quarantined: corrections that wait for a reviewer.
        unsent: corrections that could not be handed to Prefect.
        unserved: versions that do not serve although somebody may expect it.
        unlabelled: the newest prediction without a ground truth; None if there is none among the newest ones.
        api: the address of the api; "" if the page knows none of this problem.
        needs_key: whether the api asks for its key.
    """

    problem: str
    has_history: bool = True
    champion: int | None = None
    predictions: int = 0
    outliers: int = 0
    labels: int = 0
    accuracy: Estimate | None = None
    tested: Estimate | None = None
    alerts: Sequence[Alert] = ()
    wanted: int = 0
    wanted_version: int | None = None
    quarantined: int = 0
    unsent: int = 0
    unserved: Sequence[Unserved] = ()
    unlabelled: LoggedPrediction | None = None
    api: str = ""
    needs_key: bool = False


WORST: tuple[Level, ...] = ("bad", "watch", "unknown", "good")


def accuracy_verdict(found: Situation) -> tuple[Level, str]:
    """Return how bad the accuracy of the version that serves is, and why, as the end of a sentence."""
    now, tested = found.accuracy, found.tested
    if now is None or found.labels < LABELS:
        return "unknown", f"not enough data: {_truths(found.labels)}, and {LABELS} are needed"
    if tested is None:
        return "unknown", "not compared: its test results are not known"
    there = f"the {percentage_text(tested.value)} of its test rows"
    if now.high < tested.low:
        return "bad", f"below {there}"
    if now.value < tested.low:
        return "watch", f"lower than {there}, perhaps by chance"
    return "good", f"no worse than {there}"


def outliers_verdict(found: Situation) -> tuple[Level, str]:
    """Return how bad the share of outliers is, and why."""
    share = wilson(found.outliers, found.predictions)
    if share is None or found.predictions < SHARE_ROWS:
        return "unknown", f"not enough data: a share needs {SHARE_ROWS} predictions"
    part = f"{percentage_text(share.value)} of the predictions"
    # As for the alert: the lower end of the interval, because slightly more than the limit can be chance.
    return ("watch" if share.low > OUTLIER_LIMIT else "good"), f"{part}; up to {limit_text(OUTLIER_LIMIT)} is normal"


def alert_level(alert: Alert) -> Level:
    """Return how bad an open alert is."""
    return "bad" if alert.kind in BAD_KINDS else "watch"


def worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    """Return alerts in the order in which somebody should read them: the worst first, and of these the oldest."""
    return sorted(alerts, key=lambda each: (WORST.index(alert_level(each)), each.began_at, each.id))


def status(found: Situation) -> Headline:
    """Return the verdict on everything together: the worst part of it decides, and the text names the reasons."""
    level, accuracy = accuracy_verdict(found)
    right = _right(found)
    reasons: list[tuple[Level, str]] = [(level, f"{right}, {accuracy}")] if level in {"bad", "watch"} else []
    if found.alerts:
        worst = min((alert_level(each) for each in found.alerts), key=WORST.index)
        reasons.append((worst, _number(len(found.alerts), "alert is open", "alerts are open")))
    refused = [each.version for each in found.unserved if each.is_refused]
    reasons += [("watch", f"version {version} is refused") for version in refused]
    if found.unsent:
        reasons.append(
            ("watch", f"{_number(found.unsent, 'correction', 'corrections')} could not be handed to Prefect")
        )
    if reasons:
        worst = min((each for each, _ in reasons), key=WORST.index)
        words = "Something is wrong" if worst == "bad" else "Look at this"
        return Headline(level=worst, text=f"{words}: {'; '.join(text for _, text in reasons)}.")
    if not found.has_history:
        return Headline(level="unknown", text="Nothing to judge yet: no row has been answered.")
    if not found.predictions:
        return Headline(level="unknown", text="Nothing to judge: no row was answered in the chosen time.")
    if level == "unknown":
        return Headline(
            level=level, text=f"No alert is open. How often the answers are right is not known: {accuracy}."
        )
    return Headline(level=level, text=f"All is well: {right}, {accuracy}; no alert is open.")


def _right(found: Situation) -> str:
    """Return the accuracy in words, with its interval and the number of rows that it comes from."""
    if found.accuracy is None:
        return ""
    ends = f"{percent_text(found.accuracy.low)}–{percent_text(found.accuracy.high)}"
    share = f"{percentage_text(found.accuracy.value)} ({ends})"
    return f"version {found.champion} is right in {share} of {_truths(found.labels)}"


def _truths(number: int) -> str:
    return _number(number, "ground truth", "ground truths")


def _number(number: int, one: str, many: str) -> str:
    return f"{count_text(number)} {one if number == 1 else many}"
