"""The dashboard *Training*: the versions' results on the test data, and the results of fine-tuning."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, CORRECTIONS
from grafana.measures import ON_TEST_DATA, VERSION, measure_columns
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

PAGES = {"Monitor: training data": "/tab/training", "Monitor: corrections": "/tab/corrections"}


def dashboard() -> Dashboard:
    """Return the dashboard."""
    tested = tuple(_tested(name) for name in ON_TEST_DATA)
    sections = (
        Section("Versions on the test data", tested, widths=(6,)),
        Section("What the version in service has learnt", (_learnt(),), widths=(24,), height=6),
        Section("Versions in service", (_versions(), _test_and_live()), widths=(16, 8)),
        Section("Fine-tuning", _finetuning(), widths=(3, 3, 3, 3, 6, 6)),
    )
    about = "How good is each version on the test data, and what happened to the corrections?"
    return frame("lab-training", "Training", about, sections, PAGES)


def _test_ratio(name: str) -> str:
    return by_version(f'model_test_{name}_ratio{{problem="$problem"}}')


def _tested(name: str) -> DashboardPanel:
    return steps(f"{name.capitalize()} on the test data", SHARE, {VERSION: _test_ratio(name)})


def _learnt() -> DashboardPanel:
    counts = 'max by (class_name) (learnt_rows{problem="$problem"})'
    return steps("Rows learnt", "suffix:rows", {"{{class_name}}": counts})


def _versions() -> DashboardPanel:
    places = "model_name, model_version, role, git_commit, train_md5"
    info = f'max by ({places}) (model_info{{problem="$problem"}})'
    return columns(
        rows("Origin of the versions", SHARE, info, *map(_test_ratio, ON_TEST_DATA)),
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
        "Accuracy on test data and live", SHARE, {"test data": tested, "live": f"max({live})"}, at_least(ACCURACY)
    )
    return colored(panel, {"test data": PLAIN, "live": CHAMPION})


def _finetuning() -> tuple[DashboardPanel, ...]:
    changes = 'champion_changes and on (model_name) logged_predictions_total{problem="$problem"}'
    return (
        number(
            "Successful fine-tunings",
            "suffix:versions",
            {"versions": or_zero('max(finetuned_versions{problem="$problem"})')},
        ),
        number("Learnt", "suffix:corrections", {"learnt": corrections("trained")}),
        number("Refused", "suffix:corrections", {"refused": corrections("refused")}, ((PLAIN, None), (WATCH, 1))),
        number("Waiting", f"suffix:of {CORRECTIONS}", {"waiting": corrections("waiting")}),
        colored(
            steps(
                "Corrections learnt and refused",
                "suffix:corrections",
                {"learnt": corrections("trained"), "refused": corrections("refused")},
            ),
            {"learnt": GOOD, "refused": WATCH},
        ),
        steps("New champions by cause", "suffix:versions", {"{{how}}": f"sum by (how) ({changes})"}),
    )
