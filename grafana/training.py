"""The dashboard *Training*: what the versions reached on the test data, and what fine-tuning made of corrections."""

from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, CORRECTIONS
from grafana.panels import (
    CHAMPION,
    GOOD,
    PLAIN,
    ROLES,
    WATCH,
    About,
    Column,
    Panel,
    at_least,
    by_role,
    columns,
    fixed,
    number,
    rows,
    steps,
)
from grafana.queries import Query, by_version, corrections, in_service, or_zero

TESTED = (
    ("f1", "F1", "the balance of precision and recall, mean over the classes"),
    ("precision", "Precision", "of the rows given a class, the share that belongs to it, mean over the classes"),
    ("recall", "Recall", "of the rows of a class, the share that was given it, mean over the classes"),
    ("accuracy", "Accuracy", "the share of all rows that was right"),
)


def dashboard() -> Dashboard:
    """Return it."""
    sections = (
        Section("Versions on the test data", tuple(_tested(*metric) for metric in TESTED)),
        Section("Versions in service", (_versions(), _promised_and_held())),
        Section("Fine-tuning", (_finetuned(), _learnt(), _refused(), _waiting(), _outcomes(), _champions())),
    )
    about = "What did each version reach on the test data, and what did fine-tuning make of corrections?"
    return frame("lab-training", "Training", about, sections)


def _tested(name: str, title: str, meaning: str) -> Panel:
    about = About(
        f"{title} on the test data",
        "percentunit",
        f"{title}: {meaning}. Measured on test.csv before the version was registered. A step is a new version. One "
        "that steps down further than you accept can be rolled back.",
        width=6,
        decimals=1,
    )
    query = Query(by_version(f'model_test_{name}_ratio{{problem="$problem"}}'), "{{role}}, version {{model_version}}")
    return by_role(steps(about, query).max(1))


def _versions() -> Panel:
    about = About(
        "What they were made from",
        "percentunit",
        "The versions that serve now: what they reached on test.csv, the commit of the code, and the hash of "
        "train.csv. Two versions with one hash differ by corrections or by code.",
        width=16,
        decimals=1,
    )
    places = "model_name, model_version, role, git_commit, train_md5"
    info = Query(f'max by ({places}) (model_info{{problem="$problem"}})', now=True)
    tested = (Query(by_version(f'model_test_{name}_ratio{{problem="$problem"}}'), now=True) for name, _, _ in TESTED)
    shown = (
        Column("role", "role", (DynamicConfigValue("mappings", [ROLES]),)),
        Column("model_name", "model"),
        Column("model_version", "version"),
        *(Column(f"Value #{letter}", title) for letter, (_, title, _) in zip("BCDE", TESTED, strict=True)),
        Column("git_commit", "commit"),
        Column("train_md5", "train.csv"),
    )
    return columns(rows(about, info, *tested), shown)


def _promised_and_held() -> Panel:
    about = About(
        "Accuracy promised and held",
        "percentunit",
        "The champion's accuracy on the test data, and on the predictions whose truth is known. Far apart, the test "
        f"data are no longer like what people ask. Below {ACCURACY:.0%} (dashed) live: see AccuracyBelowFloor in "
        "docs/operations.md.",
        limits=at_least(ACCURACY),
        decimals=1,
    )
    promised = 'max(model_test_accuracy_ratio{problem="$problem", role="champion"})'
    live = in_service('live_overall_accuracy_ratio{problem="$problem", role="champion"}')
    panel = steps(about, Query(promised, "test data"), Query(f"max({live})", "live")).max(1)
    return panel.override_by_name("test data", [fixed(PLAIN)]).override_by_name("live", [fixed(CHAMPION)])


def _finetuned() -> Panel:
    about = About(
        "Successful fine-tunings",
        "suffix:versions",
        f"Versions that learnt from corrections and were registered. {CORRECTIONS} corrections make one, unless they "
        "are refused.",
        width=3,
    )
    return number(about, Query(or_zero('max(finetuned_versions{problem="$problem"})'), "versions", now=True))


def _learnt() -> Panel:
    about = About(
        "Learnt",
        "suffix:corrections",
        "Corrections that a registered version has learnt from.",
        width=3,
    )
    return number(about, Query(corrections("trained"), "learnt", now=True))


def _refused() -> Panel:
    about = About(
        "Refused",
        "suffix:corrections",
        "Corrections whose fine-tuning fell short on the test data, so that its result was not registered. One in a "
        "while is the check doing its work; more, look who sends what: GET /suggest/{suggestion_id} tells the reason.",
        width=3,
        limits=((PLAIN, None), (WATCH, 1)),
    )
    return number(about, Query(corrections("refused"), "refused", now=True))


def _waiting() -> Panel:
    about = About(
        "Waiting",
        f"suffix:of {CORRECTIONS}",
        f"Corrections that are in finetune.csv and in no version yet; with {CORRECTIONS} a fine-tuning begins. More "
        "than that for ten minutes: see FinetuneFailing in docs/operations.md.",
        width=3,
    )
    return number(about, Query(corrections("waiting"), "waiting", now=True))


def _outcomes() -> Panel:
    about = About(
        "What became of corrections",
        "suffix:corrections",
        "All corrections so far that a version has learnt from, and those that were refused. Flat while people send "
        "corrections: the dashboard Loop shows where they are.",
        width=6,
    )
    panel = steps(about, Query(corrections("trained"), "learnt"), Query(corrections("refused"), "refused"))
    return panel.override_by_name("learnt", [fixed(GOOD)]).override_by_name("refused", [fixed(WATCH)])


def _champions() -> Panel:
    about = About(
        "Champions by how they came",
        "suffix:versions",
        "How often a version became champion: registered (after training or fine-tuning), promoted (a challenger "
        "that was better), rolled back. Each rollback is worth a look at what was registered before it.",
        width=6,
    )
    mine = 'champion_changes and on (model_name) logged_predictions_total{problem="$problem"}'
    return steps(about, Query(f"sum by (how) ({mine})", "{{how}}"))
