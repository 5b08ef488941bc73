"""The dashboard *Training*: the versions' results on the test data, and the results of fine-tuning."""

from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, CORRECTIONS
from grafana.measures import MEANINGS, ON_TEST_DATA, VERSION
from grafana.panels import (
    CHAMPION,
    GOOD,
    PLAIN,
    ROLES,
    WATCH,
    About,
    DashboardPanel,
    TableColumn,
    at_least,
    by_role,
    columns,
    fixed,
    number,
    rows,
    steps,
)
from grafana.queries import PromQuery, by_version, corrections, in_service, or_zero


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Versions on the test data", tuple(_tested(name, *MEANINGS[name]) for name in ON_TEST_DATA)),
        Section("Versions in service", (_versions(), _test_and_live())),
        Section("Fine-tuning", (_finetuned(), _learnt(), _refused(), _waiting(), _outcomes(), _champions())),
    )
    about = "How good is each version on the test data, and what happened to the corrections?"
    return frame("lab-training", "Training", about, sections)


def _tested(name: str, title: str, meaning: str) -> DashboardPanel:
    mean = "" if name == "accuracy" else ", as a mean over the classes"
    about = About(
        f"{title} on the test data",
        "percentunit",
        f"{title} is {meaning}{mean}. It was measured on test.csv before the version was registered. Near 100 % is "
        "good. A step is a new version; roll back a version whose step down is larger than you accept.",
        width=6,
        decimals=1,
    )
    query = PromQuery(by_version(f'model_test_{name}_ratio{{problem="$problem"}}'), VERSION)
    return by_role(steps(about, query).max(1))


def _versions() -> DashboardPanel:
    about = About(
        "Origin of the versions",
        "percentunit",
        "The versions that serve now: their results on test.csv, the commit of the code, and the hash of train.csv. To "
        "find out why two versions differ, compare these: with the same hash and commit, only corrections differ.",
        width=16,
        decimals=1,
    )
    places = "model_name, model_version, role, git_commit, train_md5"
    info = PromQuery(f'max by ({places}) (model_info{{problem="$problem"}})', now=True)
    tested = (
        PromQuery(by_version(f'model_test_{name}_ratio{{problem="$problem"}}'), now=True) for name in ON_TEST_DATA
    )
    shown = (
        TableColumn("role", "role", (DynamicConfigValue("mappings", [ROLES]),)),
        TableColumn("model_name", "model"),
        TableColumn("model_version", "version"),
        *(
            TableColumn(f"Value #{letter}", MEANINGS[name][0])
            for letter, name in zip("BCDE", ON_TEST_DATA, strict=True)
        ),
        TableColumn("git_commit", "commit"),
        TableColumn("train_md5", "train.csv"),
    )
    return columns(rows(about, info, *tested), shown)


def _test_and_live() -> DashboardPanel:
    about = About(
        "Accuracy on test data and live",
        "percentunit",
        "The champion's accuracy on the test data, and live, which is on the predictions with a label. Close together "
        "is good. Far apart, the test data differ from the rows that people send: collect new data. Live below "
        f"{ACCURACY:.0%} (dashed): see AccuracyBelowFloor in docs/operations.md.",
        limits=at_least(ACCURACY),
        decimals=1,
    )
    tested = 'max(model_test_accuracy_ratio{problem="$problem", role="champion"})'
    live = in_service('live_overall_accuracy_ratio{problem="$problem", role="champion"}')
    panel = steps(about, PromQuery(tested, "test data"), PromQuery(f"max({live})", "live")).max(1)
    return panel.override_by_name("test data", [fixed(PLAIN)]).override_by_name("live", [fixed(CHAMPION)])


def _finetuned() -> DashboardPanel:
    about = About(
        "Successful fine-tunings",
        "suffix:versions",
        f"The number of versions that fine-tuning registered. {CORRECTIONS} corrections make one version, unless the "
        "gate refuses it. The number should grow while people send corrections.",
        width=3,
    )
    return number(about, PromQuery(or_zero('max(finetuned_versions{problem="$problem"})'), "versions", now=True))


def _learnt() -> DashboardPanel:
    about = About(
        "Learnt",
        "suffix:corrections",
        "The number of corrections that a registered version has learnt from. It should grow while people send "
        "corrections; the dashboard Loop shows where the others are.",
        width=3,
    )
    return number(about, PromQuery(corrections("trained"), "learnt", now=True))


def _refused() -> DashboardPanel:
    about = About(
        "Refused",
        "suffix:corrections",
        "The number of corrections in fine-tunings that the gate refused, because the model was worse on the test "
        "data. A few are normal. With many, check who sends wrong corrections: GET /suggest/{suggestion_id} gives the "
        "reason.",
        width=3,
        limits=((PLAIN, None), (WATCH, 1)),
    )
    return number(about, PromQuery(corrections("refused"), "refused", now=True))


def _waiting() -> DashboardPanel:
    about = About(
        "Waiting",
        f"suffix:of {CORRECTIONS}",
        f"The number of corrections in finetune.csv that no version has learnt from. With {CORRECTIONS} a fine-tuning "
        f"begins, so fewer are normal. {CORRECTIONS} or more for ten minutes: see FinetuneFailing in "
        "docs/operations.md.",
        width=3,
    )
    return number(about, PromQuery(corrections("waiting"), "waiting", now=True))


def _outcomes() -> DashboardPanel:
    about = About(
        "Corrections learnt and refused",
        "suffix:corrections",
        "All corrections so far that a version has learnt from, and all that the gate refused. A growing line *learnt* "
        "is good. Flat lines while people send corrections: look at the dashboard Loop for where they wait.",
        width=6,
    )
    panel = steps(about, PromQuery(corrections("trained"), "learnt"), PromQuery(corrections("refused"), "refused"))
    return panel.override_by_name("learnt", [fixed(GOOD)]).override_by_name("refused", [fixed(WATCH)])


def _champions() -> DashboardPanel:
    about = About(
        "New champions by cause",
        "suffix:versions",
        "How often a version became champion: registered (after training or fine-tuning), promoted (a better "
        "challenger), rolled back. Few rollbacks are good. After a rollback, check the version that it removed.",
        width=6,
    )
    mine = 'champion_changes and on (model_name) logged_predictions_total{problem="$problem"}'
    return steps(about, PromQuery(f"sum by (how) ({mine})", "{{how}}"))
