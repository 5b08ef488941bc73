"""Reading aids: of each statistic what it is, and what is good, in two sentences. The page `/words` lists them all.

This file is their only place. A statistic is found by the label that the page shows, so a new one needs an entry here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VOCABULARY = Path(__file__).parents[2] / "docs" / "vocabulary.md"
ENTRY = re.compile(r"^\| ([a-z -]+) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Aid:
    """A statistic's word, one sentence that says what it is, and one that says what is good."""

    word: str
    what: str
    good: str
    labels: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """The end of the address of its entry on `/words`."""
        return re.sub(r"[^a-z0-9]+", "-", self.word.lower()).strip("-")


AIDS = (
    Aid(
        "accuracy",
        "The share of right answers among the rows whose ground truth is known.",
        "It is good if its interval reaches the accuracy on the test rows; with fewer than 50 ground truths it says "
        "little.",
        (
            "accuracy",
            "accuracy by day",
            "accuracy, test rows",
            "accuracy as served",
            "accuracy replayed",
            "change of accuracy",
        ),
    ),
    Aid(
        "precision",
        "Of the rows that were answered with a class, the share that has this class.",
        "Near 100 % a class is rarely claimed wrongly; compare it with the test rows.",
        ("precision", "precision by day", "precision, test rows"),
    ),
    Aid(
        "recall",
        "Of the rows that have a class, the share that was answered with it.",
        "Near 100 % few rows of the class are missed; a recall needs 20 ground truths of its class.",
        ("recall", "recall by day", "recall, test rows", "recall as served", "recall replayed"),
    ),
    Aid(
        "F1",
        "The harmonic mean of precision and recall: it is high only if both are.",
        "It is good near 100 %; read precision and recall to see which of them is low.",
        ("f1", "f1 by day", "f1, test rows"),
    ),
    Aid(
        "specificity",
        "Of the rows that do not have a class, the share that was not answered with it.",
        "It is good near 100 %, and nearly always high where there are many classes.",
        ("specificity",),
    ),
    Aid(
        "interval",
        "The true value lies in the interval in 95 of 100 such cases.",
        "A short interval is good: more ground truths make it shorter.",
        ("now", "on the test rows"),
    ),
    Aid(
        "ground truth",
        "The number of predictions whose right class somebody has sent.",
        "More is better: with 50 an accuracy is shown, and those that are sent should not be only the odd rows.",
        (
            "with ground truth",
            "labelled",
            "share of predictions with ground truth, by day",
            "ground truth and its delay, by day",
            "mean delay, in seconds",
        ),
    ),
    Aid(
        "predictions",
        "The number of answers that clients have received, one for each row.",
        "No number is good or bad; a sudden change says that a client has changed.",
        ("predictions",),
    ),
    Aid(
        "outliers",
        "The rows that are unlike the training rows, by a score of the bundle.",
        "About 1 in 100 is normal, and above 20 % an alert opens: the answers to such rows are guesses.",
        ("outliers", "outlier", "outlier score"),
    ),
    Aid(
        "alerts",
        "Conditions that the monitor has found and that have not ended.",
        "None is good; the worst stands first, and its row links to the place that explains it.",
        ("open alerts", "alerts", "severity"),
    ),
    Aid(
        "confidence",
        "The probability that the version itself gives to its answer.",
        "A high one is good only if such answers are right: compare it with the accuracy.",
        ("confidence", "mean confidence", "its confidence", "replay: confidence"),
    ),
    Aid(
        "confusion matrix",
        "The rows by their true class, in lines, and by the answer, in columns.",
        "All rows on the diagonal are right; a large number beside it names two classes that are confused.",
        ("champion: confusion matrix", "challenger: confusion matrix"),
    ),
    Aid(
        "population stability index",
        "The distance of two distributions: how many rows lie in other bins than in training.",
        "Below 0.1 it is good, and above 0.2 it is drift if the test says so, too; it needs 500 rows.",
        ("psi", "population stability index by window"),
    ),
    Aid(
        "Wasserstein distance",
        "How far the values have moved on average, in standard deviations of the training rows.",
        "Near 0 is good; 1 means that the whole feature has moved by one standard deviation.",
        ("wasserstein",),
    ),
    Aid(
        "Kolmogorov-Smirnov distance",
        "The largest distance of the two cumulative distributions, between 0 and 1.",
        "Near 0 is good; how large it may be depends on the number of rows, which the p-value takes into account.",
        ("kolmogorov-smirnov",),
    ),
    Aid(
        "chi-square",
        "How much the counts of the names differ from those in training.",
        "Near the number of names it is chance; the p-value says so in one number.",
        ("chi-square",),
    ),
    Aid(
        "p-value",
        "The probability of a difference at least as large as this one, if nothing had changed.",
        "A large one is no reason for worry; below 0.05 chance hardly explains the difference.",
        ("p-value", "p", "p (uncorrected)", "mcnemar's exact test"),
    ),
    Aid(
        "e-value",
        "The money of a gambler who began with 1 and bets that one version is worse than the other.",
        "At 100 the lab acts; around 1 nobody has shown anything yet.",
        ("e-value",),
    ),
    Aid(
        "gain and harm",
        "Rows on which only the new version is right, and rows on which only the old one is.",
        "More gain than harm is good, if there are more rows of them than chance gives.",
        ("gain", "harm", "unknown", "against the champion", "against the anchor", "change", "alike", "answered alike"),
    ),
)
_BY_LABEL = {label: aid for aid in AIDS for label in aid.labels}


def aid_of(label: str) -> Aid | None:
    """Return the reading aid of a label that the page shows; None if it has none."""
    return _BY_LABEL.get(label.lower())


def vocabulary() -> list[tuple[str, str]]:
    """Return the lab's words with their meanings, from docs/vocabulary.md; none where the documentation is absent."""
    try:
        text = VOCABULARY.read_text(encoding="utf-8")
    except OSError:  # an image has no documentation
        return []
    return [(word, meaning.replace("`", "")) for word, meaning in ENTRY.findall(text) if word != "word"]
