"""Tab *Training data*: the training rows of the served version, and the corrections since."""

from collections import Counter

from monitor.page.commands import TRAIN
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.tabs.cells import CLASS, correct_one, share
from monitor.page.view import View

NO_REFERENCE = (
    f"The served version is not known, or its file says nothing of its training rows. Train a version: `{TRAIN}`"
)
NO_CORRECTIONS = "No correction came in the chosen time."
ALL_SETTLED = "No correction waits: each one of the chosen time is learnt, refused or taken back."
TOGETHER = PanelText(
    "together",
    "Training rows and corrections",
    NO_REFERENCE,
    "The training rows include the corrections that the version has learnt from.",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab."""
    reference = view.backends.references.of(view.span.model_name)
    found = view.store.correction_history.by_class(view.span.problem, *view.bounds)
    learnt, ahead = Counter[str](), Counter[str]()
    for (class_name, state), number in found.items():
        if state not in {"refused", "quarantined", "withdrawn"}:
            (learnt if state == "trained" else ahead)[class_name] += number
    counts = Counter(reference.class_counts if reference else {})
    names = [*counts, *sorted((learnt.keys() | ahead.keys()) - counts.keys())]
    training = PanelText(
        "training",
        f"Training rows of version {reference.version}" if reference else "Training rows",
        NO_REFERENCE,
        "The rows that the served version has learnt from; for a fine-tuned version, with its corrections.",
        "pie",
    )
    corrections = PanelText(
        "corrections",
        "Corrections that wait",
        f"{ALL_SETTLED if found else NO_CORRECTIONS} {correct_one(view)}" if not ahead else ALL_SETTLED,
        "Corrections of the chosen time that no version has learnt from yet, without those that were refused, taken "
        "back or put into quarantine.",
        "pie",
    )
    return [
        training.panel([CLASS, *columns("integer", rows="Rows")], counts.items()),
        corrections.panel([CLASS, *columns("integer", corrections="Corrections")], sorted(ahead.items())),
        PanelTable(TOGETHER, names)
        .column(CLASS, lambda name: name)
        .add("integer", "rows", "Training rows", lambda name: counts[name])
        .add("ratio", "share", "Share of them", lambda name: share(counts[name], counts.total()))
        .add("integer", "learnt", "Corrections learnt", lambda name: learnt[name])
        .add("integer", "ahead", "Corrections not learnt yet", lambda name: ahead[name])
        .panel(),
    ]
