"""The measures of *Model quality*: now, and over time."""

from grafana.limits import ACCURACY
from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, LABELS, MEANINGS, VERSION
from grafana.panels import About, DashboardPanel, at_least, by_role, lines, number, role_names
from grafana.queries import MODEL, PromQuery, by_version, in_service


def now() -> tuple[DashboardPanel, ...]:
    """Return one panel a measure, for the versions that serve now."""
    return _accuracy_now(), _tested(), _labels_now(), _coverage_now()


def over_time() -> tuple[DashboardPanel, ...]:
    """Return one panel a measure, with lines for the versions in service at each time."""
    return _accuracy(), *(_measured(*MEANINGS[name], name) for name in BY_CLASS), _coverage()


def _accuracy_now() -> DashboardPanel:
    about = About(
        "Right answers",
        "percentunit",
        "Accuracy: the share of right answers among the predictions with a label. While both serve, champion and "
        f"challenger answer the same rows. {ACCURACY:.0%} or more is good. Below, with 50 labels or more: see "
        "AccuracyBelowFloor in docs/operations.md. A better challenger can be promoted: GET /models says whether the "
        "difference is significant.",
        width=6,
        height=5,
        limits=at_least(ACCURACY),
        empty="no labels yet",
        decimals=1,
    )
    return role_names(number(about, PromQuery(in_service(ACCURACIES), VERSION, now=True)))


def _tested() -> DashboardPanel:
    about = About(
        "Right answers on the test data",
        "percentunit",
        "The accuracy on test.csv, measured before the version was registered. Good is a live accuracy close to it. A "
        "live accuracy far below means that the test data differ from the rows that people send: collect new data.",
        width=6,
        height=5,
        decimals=1,
    )
    return by_role(
        number(about, PromQuery(by_version('model_test_accuracy_ratio{problem="$problem"}'), VERSION, now=True))
    )


def _labels_now() -> DashboardPanel:
    about = About(
        "Labels",
        "suffix:labels",
        "The number of predictions with a label, which is their ground truth from feedback. With fewer than 50 labels "
        "the shares on this page vary by chance: wait for more.",
        width=6,
        height=5,
        empty="no predictions yet",
    )
    return by_role(number(about, PromQuery(in_service(LABELS), VERSION, now=True)))


def _coverage_now() -> DashboardPanel:
    about = About(
        "Label coverage now",
        "percentunit",
        "The share of the predictions with a label. It depends on how much feedback people send, so it has no limit. "
        "When it is low, check whether the labelled rows are a random part of all rows.",
        width=6,
        height=5,
        empty="no predictions yet",
        decimals=1,
    )
    return by_role(number(about, PromQuery(in_service(COVERAGE), VERSION, now=True)))


def _accuracy() -> DashboardPanel:
    about = About(
        "Accuracy",
        "percentunit",
        f"The share of right answers among all labels so far, of the versions in service. Above {ACCURACY:.0%} "
        "(dashed) is good. A long fall means that the rows have changed: send corrections, or train again with newer "
        "data.",
        limits=at_least(ACCURACY),
        decimals=1,
    )
    return by_role(lines(about, PromQuery(in_service(ACCURACIES), VERSION)).max(1))


def _measured(title: str, meaning: str, name: str) -> DashboardPanel:
    about = About(
        title,
        "percentunit",
        f"{title} is {meaning}. The panel shows its mean over the classes, of the versions in service, from all labels "
        "so far. Near 100 % is good. A fall while accuracy stays means that a rare class gets worse: look for it in "
        "the table *By class*, and send corrections.",
        decimals=1,
    )
    mean = f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})'
    return by_role(lines(about, PromQuery(in_service(mean), VERSION)).max(1))


def _coverage() -> DashboardPanel:
    about = About(
        "Label coverage",
        "percentunit",
        "The share of the predictions with a label, of the versions in service. A steady line is good. A fall towards "
        "0 means that no feedback comes, and the other panels of this page no longer change: check the programs that "
        "send feedback.",
        decimals=1,
    )
    return by_role(lines(about, PromQuery(in_service(COVERAGE), VERSION)).max(1))
