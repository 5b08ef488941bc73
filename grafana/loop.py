"""The dashboard *Loop*: how far corrections have come, how long it takes, and where it is stuck."""

from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from grafana.frame import Section, frame
from grafana.limits import CORRECTIONS, FINETUNE_AGE, OUTBOX_AGE
from grafana.panels import (
    BAD,
    GOOD,
    PLAIN,
    WATCH,
    About,
    Column,
    Panel,
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
from grafana.queries import Query, corrections, or_zero

# In the order in which a correction goes through them, and what they are called here.
STATES = (
    ("received", "in the outbox"),
    ("delivered", "handed to Prefect"),
    ("waiting", f"waiting for {CORRECTIONS}"),
    ("trained", "learnt"),
    ("refused", "refused"),
)
UNSETTLED = STATES[:3]


def dashboard() -> Dashboard:
    """Return it."""
    sections = (
        Section("Now", (_by_state(), _usual_time(), _outbox_age(), _servers())),
        Section("Corrections", (_under_way(), _oldest(), _times())),
        Section("Versions taken into service", (_versions(), _swaps(), _failures())),
    )
    about = "How far have people's corrections come, how long does it take, and where is it stuck?"
    return frame("lab-loop", "Loop", about, sections)


def _by_state() -> Panel:
    about = About(
        "Corrections by state",
        "none",
        "The way of a correction from left to right: stored by the api (in the outbox), handed to Prefect, in "
        f"finetune.csv waiting for {CORRECTIONS}, and learnt by a new version or refused with it. The first three "
        "should keep emptying.",
        width=12,
        height=5,
    )
    return number(about, *(Query(corrections(state), name, now=True) for state, name in STATES))


def _usual_time() -> Panel:
    about = About(
        "Last correction to champion",
        "s",
        f"Usual time (median of all fine-tuned versions) from the arrival of the last of {CORRECTIONS} corrections to "
        "the new champion. Some seconds here; longer, the worker is busy, or Prefect or MLflow was away.",
        width=4,
        height=5,
        empty="no fine-tuned version yet",
    )
    return number(about, Query('quantile(0.5, loop_seconds{problem="$problem"})', "median", now=True))


def _outbox_age() -> Panel:
    about = About(
        "Oldest in the outbox",
        "s",
        "Age of the oldest correction that Prefect has not got. 0 is good: the outbox is empty. Above "
        f"{OUTBOX_AGE:.0f} s Prefect is away or refuses: see OutboxNotEmptying in docs/operations.md. Nothing is lost "
        "meanwhile.",
        width=4,
        height=5,
        limits=at_most(OUTBOX_AGE),
    )
    return number(about, Query(_age("received"), "oldest", now=True))


def _servers() -> Panel:
    about = About(
        "Servers of the loop",
        "none",
        "Whether Prefect, which starts fine-tunings, and the monitor, which these figures come from, answer "
        "Prometheus. When one is down, start it again: the corrections are in the store.",
        width=4,
        height=5,
        limits=((BAD, None), (GOOD, 1)),
    )
    query = Query('min by (job) (up{job=~"prefect|monitor"})', "{{job}}", now=True)
    return number(about, query).mappings([words({"0": ("down", BAD), "1": ("up", GOOD)})])


def _under_way() -> Panel:
    about = About(
        "Corrections under way",
        "suffix:corrections",
        "Corrections that are not settled, by where they are. A hill that falls again is the loop at work. One that "
        "only grows shows by its colour where they are stuck.",
    )
    return stacked(about, *(Query(corrections(state), name) for state, name in UNSETTLED))


def _oldest() -> Panel:
    about = About(
        "Oldest correction by state",
        "s",
        f"Too long in the outbox is {OUTBOX_AGE:.0f} s (lower dashed line). Too long with Prefect is "
        f"{FINETUNE_AGE:.0f} s (upper line), and so is waiting with {CORRECTIONS} or more; fewer wait as long as it "
        "takes. See OutboxNotEmptying and FinetuneFailing in docs/operations.md.",
        limits=((GOOD, None), (WATCH, OUTBOX_AGE), (BAD, FINETUNE_AGE)),
    )
    return lines(about, *(Query(_age(state), name) for state, name in UNSETTLED))


def _times() -> Panel:
    about = About(
        "Last correction to champion, by version",
        "s",
        f"For each fine-tuned version the time from the arrival of the last of its {CORRECTIONS} corrections to its "
        "becoming champion. Versions that never became champion are not here.",
        empty="no fine-tuned version yet",
    )
    times = Query('max by (model_name, model_version) (loop_seconds{problem="$problem"})', now=True)
    gauge = DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"})
    shown = (Column("model_name", "model"), Column("model_version", "version"), Column("Value", "time", (gauge,)))
    return newest_first(columns(rows(about, times), shown))


def _versions() -> Panel:
    about = About(
        "Versions in service",
        "none",
        "The number of the version that answers, and of the challenger that answers in its shadow. The champion "
        "rises after each fine-tuning; a step down is a rollback. Two lines of a role: processes that have not all "
        "followed yet.",
        decimals=0,
    )
    query = Query('max by (role, instance) (served_model_version{problem="$problem"})', "{{role}} at {{instance}}")
    return by_role(steps(about, query))


def _swaps() -> Panel:
    about = About(
        "Swaps",
        "suffix:swaps",
        "How often the api processes have taken a version into service since they started. One step for each change "
        "and process; many without new versions: somebody moves the alias to and fro.",
        decimals=0,
    )
    return by_role(steps(about, Query('sum by (role) (model_swaps_total{problem="$problem"})', "{{role}}")))


def _failures() -> Panel:
    about = About(
        "Versions that could not be loaded",
        "suffix:attempts",
        "Failed attempts within three minutes to take a version into service; the one before goes on answering. "
        "Should be 0; otherwise the api's log tells why: see ReloadFailing in docs/operations.md.",
        limits=((PLAIN, None), (BAD, 1)),
        decimals=0,
    )
    return lines(about, Query('sum(increase(model_reload_failures_total{problem="$problem"}[3m]))', "failed"))


def _age(state: str) -> str:
    return or_zero(f'max(suggestions_oldest_seconds{{problem="$problem", state="{state}"}})')
