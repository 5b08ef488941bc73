"""The dashboard *Training*: the versions' results on the test data, and the results of fine-tuning."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, CORRECTIONS
from grafana.measures import MEANINGS, ON_TEST_DATA, VERSION, measure_columns
from grafana.panels import (
    CHAMPION,
    GOOD,
    PLAIN,
    ROLE,
    SHARE,
    WATCH,
    DashboardPanel,
    TableColumn,
    at_least,
    colored,
    columns,
    number,
    rows,
    steps,
)
from grafana.queries import by_version, corrections, in_service, or_zero


def dashboard() -> Dashboard:
    """Return the dashboard."""
    tested = tuple(_tested(name, *MEANINGS[name]) for name in ON_TEST_DATA)
    sections = (
        Section("Versions on the test data", tested, widths=(6,)),
        Section("Versions in service", (_versions(), _test_and_live()), widths=(16, 8)),
        Section("Fine-tuning", _finetuning(), widths=(3, 3, 3, 3, 6, 6)),
    )
    about = "How good is each version on the test data, and what happened to the corrections?"
    return frame("lab-training", "Training", about, sections)


def _test_ratio(name: str) -> str:
    return by_version(f'model_test_{name}_ratio{{problem="$problem"}}')


def _tested(name: str, title: str, meaning: str) -> DashboardPanel:
    mean = "" if name == "accuracy" else ", as a mean over the classes"
    return steps(
        f"{title} on the test data",
        SHARE,
        f"{title} is {meaning}{mean}. It was measured on test.csv before the version was registered. Near 100 % is "
        "good. A step is a new version; roll back a version whose step down is larger than you accept.",
        {VERSION: _test_ratio(name)},
    )


def _versions() -> DashboardPanel:
    places = "model_name, model_version, role, git_commit, train_md5"
    info = f'max by ({places}) (model_info{{problem="$problem"}})'
    return columns(
        rows(
            "Origin of the versions",
            SHARE,
            "The versions that serve now: their results on test.csv, the commit of the code, and the hash of "
            "train.csv. To find out why two versions differ, compare these: with the same hash and commit, only "
            "corrections differ.",
            info,
            *map(_test_ratio, ON_TEST_DATA),
        ),
        ROLE,
        TableColumn("model_name", "model"),
        TableColumn("model_version", "version"),
        *measure_columns(ON_TEST_DATA, "BCDE"),
        TableColumn("git_commit", "commit"),
        TableColumn("train_md5", "train.csv"),
    )


def _test_and_live() -> DashboardPanel:
    tested = 'max(model_test_accuracy_ratio{problem="$problem", role="champion"})'
    live = in_service('live_overall_accuracy_ratio{problem="$problem", role="champion"}')
    panel = steps(
        "Accuracy on test data and live",
        SHARE,
        "The champion's accuracy on the test data, and live, which is on the predictions with a label. Close together "
        "is good. Far apart, the test data differ from the rows that people send: collect new data. Live below "
        f"{ACCURACY:.0%} (dashed): see AccuracyBelowFloor in docs/operations.md.",
        {"test data": tested, "live": f"max({live})"},
        at_least(ACCURACY),
    )
    return colored(panel, {"test data": PLAIN, "live": CHAMPION})


def _finetuning() -> tuple[DashboardPanel, ...]:
    changes = 'champion_changes and on (model_name) logged_predictions_total{problem="$problem"}'
    return (
        number(
            "Successful fine-tunings",
            "suffix:versions",
            f"The number of versions that fine-tuning registered. {CORRECTIONS} corrections make one version, unless "
            "the gate refuses it. The number should grow while people send corrections.",
            {"versions": or_zero('max(finetuned_versions{problem="$problem"})')},
        ),
        number(
            "Learnt",
            "suffix:corrections",
            "The number of corrections that a registered version has learnt from. It should grow while people send "
            "corrections; the dashboard Loop shows where the others are.",
            {"learnt": corrections("trained")},
        ),
        number(
            "Refused",
            "suffix:corrections",
            "The number of corrections in fine-tunings that the gate refused, because the model was worse on the test "
            "data. A few are normal. With many, check who sends wrong corrections: GET /suggest/{suggestion_id} gives "
            "the reason.",
            {"refused": corrections("refused")},
            ((PLAIN, None), (WATCH, 1)),
        ),
        number(
            "Waiting",
            f"suffix:of {CORRECTIONS}",
            f"The number of corrections in finetune.csv that no version has learnt from. With {CORRECTIONS} a "
            f"fine-tuning begins, so fewer are normal. {CORRECTIONS} or more for ten minutes: see FinetuneFailing in "
            "docs/operations.md.",
            {"waiting": corrections("waiting")},
        ),
        colored(
            steps(
                "Corrections learnt and refused",
                "suffix:corrections",
                "All corrections so far that a version has learnt from, and all that the gate refused. A growing line "
                "*learnt* is good. Flat lines while people send corrections: look at the dashboard Loop for where they "
                "wait.",
                {"learnt": corrections("trained"), "refused": corrections("refused")},
            ),
            {"learnt": GOOD, "refused": WATCH},
        ),
        steps(
            "New champions by cause",
            "suffix:versions",
            "How often a version became champion: registered (after training or fine-tuning), promoted (a better "
            "challenger), rolled back. Few rollbacks are good. After a rollback, check the version that it removed.",
            {"{{how}}": f"sum by (how) ({changes})"},
        ),
    )
