"""The dashboard *Loop*: the state of the corrections, the time that they take, and where they are stuck."""

from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from grafana.frame import Section, frame
from grafana.limits import CORRECTIONS, FINETUNE_AGE, OUTBOX_AGE
from grafana.panels import (
    BAD,
    GOOD,
    PLAIN,
    WATCH,
    About,
    DashboardPanel,
    TableColumn,
    at_most,
    by_role,
    columns,
    lines,
    newest_first,
    number,
    rows,
    stacked,
    steps,
    words,
)
from grafana.queries import PromQuery, corrections, or_zero

# The states of a correction in their order, with their names on this dashboard.
STATES = (
    ("received", "in the outbox"),
    ("delivered", "at Prefect"),
    ("waiting", f"waiting for {CORRECTIONS}"),
    ("trained", "learnt"),
    ("refused", "refused"),
    ("quarantined", "quarantined"),
)
UNSETTLED = STATES[:3]


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Now", (_by_state(), _usual_time(), _outbox_age(), _servers())),
        Section("Corrections", (_under_way(), _oldest(), _times())),
        Section("Versions taken into service", (_versions(), _swaps(), _failures())),
    )
    about = "Where are people's corrections, how long do they take, and where are they stuck?"
    return frame("lab-loop", "Loop", about, sections)


def _by_state() -> DashboardPanel:
    about = About(
        "Corrections by state",
        "none",
        "The number of corrections in each state, in order: the api has stored them (in the outbox), Prefect has a "
        f"flow run for them, they wait in finetune.csv until there are {CORRECTIONS}, a new version has learnt them, "
        "the gate has refused it, or the version that learnt them was rolled back. The first three should return to "
        "small numbers; if not, see *Oldest correction by state*.",
        width=12,
        height=5,
    )
    return number(about, *(PromQuery(corrections(state), name, now=True) for state, name in STATES))


def _usual_time() -> DashboardPanel:
    about = About(
        "Last correction to champion",
        "s",
        f"The time from the arrival of the last of {CORRECTIONS} corrections to the new champion, as the median of all "
        "fine-tuned versions. Some seconds are good. If it grows, the worker is busy, or Prefect or MLflow was down.",
        width=4,
        height=5,
        empty="no fine-tuned version yet",
    )
    return number(about, PromQuery('quantile(0.5, loop_seconds{problem="$problem"})', "median", now=True))


def _outbox_age() -> DashboardPanel:
    about = About(
        "Oldest in the outbox",
        "s",
        "The age of the oldest correction that the api has not yet handed to Prefect. 0 is good: the outbox is empty. "
        f"Above {OUTBOX_AGE:.0f} s Prefect is down or refuses: see OutboxNotEmptying in docs/operations.md. No "
        "correction is lost meanwhile.",
        width=4,
        height=5,
        limits=at_most(OUTBOX_AGE),
    )
    return number(about, PromQuery(_age("received"), "oldest", now=True))


def _servers() -> DashboardPanel:
    about = About(
        "Servers of the loop",
        "none",
        "Whether Prefect, which starts fine-tunings, and the monitor, which exports these figures, answer Prometheus. "
        "Both should be up. Start a server that is down; the corrections are safe in the store.",
        width=4,
        height=5,
        limits=((BAD, None), (GOOD, 1)),
    )
    query = PromQuery('min by (job) (up{job=~"prefect|monitor"})', "{{job}}", now=True)
    return number(about, query).mappings([words({"0": ("down", BAD), "1": ("up", GOOD)})])


def _under_way() -> DashboardPanel:
    about = About(
        "Unfinished corrections",
        "suffix:corrections",
        "The number of corrections that are neither learnt nor refused, by state. Areas that rise and fall again are "
        "good. An area that only grows shows the state in which corrections are stuck.",
    )
    return stacked(about, *(PromQuery(corrections(state), name) for state, name in UNSETTLED))


def _oldest() -> DashboardPanel:
    about = About(
        "Oldest correction by state",
        "s",
        f"The age of the oldest correction in each state. Up to {OUTBOX_AGE:.0f} s in the outbox (lower dashed line) "
        f"and {FINETUNE_AGE:.0f} s at Prefect (upper dashed line) are good. {CORRECTIONS} or more waiting corrections "
        f"should not wait longer than {FINETUNE_AGE:.0f} s; fewer may wait for any time. Above: see OutboxNotEmptying "
        "and FinetuneFailing in docs/operations.md.",
        limits=((GOOD, None), (WATCH, OUTBOX_AGE), (BAD, FINETUNE_AGE)),
    )
    return lines(about, *(PromQuery(_age(state), name) for state, name in UNSETTLED))


def _times() -> DashboardPanel:
    about = About(
        "Last correction to champion, by version",
        "s",
        f"For each fine-tuned version, the time from the arrival of the last of its {CORRECTIONS} corrections until "
        "the version became champion. Some seconds are good. Versions that never became champion are left out.",
        empty="no fine-tuned version yet",
    )
    times = PromQuery('max by (model_name, model_version) (loop_seconds{problem="$problem"})', now=True)
    gauge = DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"})
    shown = (
        TableColumn("model_name", "model"),
        TableColumn("model_version", "version"),
        TableColumn("Value", "time", (gauge,)),
    )
    return newest_first(columns(rows(about, times), shown))


def _versions() -> DashboardPanel:
    about = About(
        "Versions in service",
        "none",
        "The version numbers of champion and challenger, as each api process serves them. The champion's line rises "
        "after each fine-tuning; a step down is a rollback. Two different lines of one role mean that some processes "
        "still serve the older version: this should end within seconds.",
        decimals=0,
    )
    query = PromQuery('max by (role, instance) (served_model_version{problem="$problem"})', "{{role}} at {{instance}}")
    return by_role(steps(about, query))


def _swaps() -> DashboardPanel:
    about = About(
        "Swaps",
        "suffix:swaps",
        "How often the api processes have taken a version into service since they started. One step for each new "
        "version and process is good. Many steps without new versions mean that somebody moves the alias repeatedly.",
        decimals=0,
    )
    return by_role(steps(about, PromQuery('sum by (role) (model_swaps_total{problem="$problem"})', "{{role}}")))


def _failures() -> DashboardPanel:
    about = About(
        "Versions that could not be loaded",
        "suffix:attempts",
        "Failed attempts within three minutes to take a version into service. 0 is good. Otherwise the former version "
        "still answers, and the api's log holds the reason: see ReloadFailing in docs/operations.md.",
        limits=((PLAIN, None), (BAD, 1)),
        decimals=0,
    )
    return lines(about, PromQuery('sum(increase(model_reload_failures_total{problem="$problem"}[3m]))', "failed"))


def _age(state: str) -> str:
    return or_zero(f'max(suggestions_oldest_seconds{{problem="$problem", state="{state}"}})')
