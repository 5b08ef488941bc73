"""The dashboard *Loop*: the state of the corrections, the time that they take, and where they are stuck."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from grafana.frame import Section, frame
from grafana.limits import CORRECTIONS, FINETUNE_AGE, OUTBOX_AGE
from grafana.panels import (
    BAD,
    GOOD,
    PLAIN,
    WATCH,
    DashboardPanel,
    TableColumn,
    at_most,
    columns,
    lines,
    newest_first,
    number,
    rows,
    stacked,
    steps,
    words,
)
from grafana.queries import corrections, or_zero

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
        Section("Now", _now(), widths=(12, 4, 4, 4), height=5),
        Section("Corrections", _corrections(), widths=(12,)),
        Section("Versions taken into service", _taken_into_service()),
    )
    about = "Where are people's corrections, how long do they take, and where are they stuck?"
    return frame("lab-loop", "Loop", about, sections)


def _now() -> tuple[DashboardPanel, ...]:
    return (
        number(
            "Corrections by state",
            "none",
            "The number of corrections in each state, in order: the api has stored them (in the outbox), Prefect has a "
            f"flow run for them, they wait in finetune.csv until there are {CORRECTIONS}, a new version has learnt "
            "them, the gate has refused it, or the version that learnt them was rolled back. The first three should "
            "return to small numbers; if not, see *Oldest correction by state*.",
            {name: corrections(state) for state, name in STATES},
        ),
        number(
            "Last correction to champion",
            "s",
            f"The time from the arrival of the last of {CORRECTIONS} corrections to the new champion, as the median of "
            "all fine-tuned versions. Some seconds are good. If it grows, the worker is busy, or Prefect or MLflow was "
            "down.",
            {"median": 'quantile(0.5, loop_seconds{problem="$problem"})'},
        ).no_value("no fine-tuned version yet"),
        number(
            "Oldest in the outbox",
            "s",
            "The age of the oldest correction that the api has not yet handed to Prefect. 0 is good: the outbox is "
            f"empty. Above {OUTBOX_AGE:.0f} s Prefect is down or refuses: see OutboxNotEmptying in docs/operations.md. "
            "No correction is lost meanwhile.",
            {"oldest": _age("received")},
            at_most(OUTBOX_AGE),
        ),
        number(
            "Servers of the loop",
            "none",
            "Whether Prefect, which starts fine-tunings, and the monitor, which exports these figures, answer "
            "Prometheus. Both should be up. Start a server that is down; the corrections are safe in the store.",
            {"{{job}}": 'min by (job) (up{job=~"prefect|monitor"})'},
            ((BAD, None), (GOOD, 1)),
        ).mappings([words({"0": ("down", BAD), "1": ("up", GOOD)})]),
    )


def _corrections() -> tuple[DashboardPanel, ...]:
    return (
        stacked(
            "Unfinished corrections",
            "suffix:corrections",
            "The number of corrections that are neither learnt nor refused, by state. Areas that rise and fall again "
            "are good. An area that only grows shows the state in which corrections are stuck.",
            {name: corrections(state) for state, name in UNSETTLED},
        ),
        lines(
            "Oldest correction by state",
            "s",
            f"The age of the oldest correction in each state. Up to {OUTBOX_AGE:.0f} s in the outbox (lower dashed "
            f"line) and {FINETUNE_AGE:.0f} s at Prefect (upper dashed line) are good. {CORRECTIONS} or more waiting "
            f"corrections should not wait longer than {FINETUNE_AGE:.0f} s; fewer may wait for any time. Above: see "
            "OutboxNotEmptying and FinetuneFailing in docs/operations.md.",
            {name: _age(state) for state, name in UNSETTLED},
            ((GOOD, None), (WATCH, OUTBOX_AGE), (BAD, FINETUNE_AGE)),
        ),
        steps(
            "Verdicts of the gate",
            "suffix:verdicts",
            "The number of candidates that the gate has judged so far, by verdict. *accepted* and *insufficient "
            "evidence* make a version. A steep line of *refused* or *no effect* means that people send corrections "
            "that the model should not or cannot learn: the tab Corrections of the monitor's page has the reasons, and "
            "docs/judgement.md explains the words.",
            {"{{verdict}}": 'sum by (verdict) (judgements_total{problem="$problem"})'},
        ).decimals(0),
        _by_version(
            rows(
                "Last correction to champion, by version",
                "s",
                f"For each fine-tuned version, the time from the arrival of the last of its {CORRECTIONS} corrections "
                "until the version became champion. Some seconds are good. Versions that never became champion are "
                "left out.",
                'max by (model_name, model_version) (loop_seconds{problem="$problem"})',
            ).no_value("no fine-tuned version yet")
        ),
    )


def _taken_into_service() -> tuple[DashboardPanel, ...]:
    return (
        steps(
            "Versions in service",
            "none",
            "The version numbers of champion and challenger, as each api process serves them. The champion's line "
            "rises after each fine-tuning; a step down is a rollback. Two different lines of one role mean that some "
            "processes still serve the older version: this should end within seconds.",
            {"{{role}} at {{instance}}": 'max by (role, instance) (served_model_version{problem="$problem"})'},
        ).decimals(0),
        steps(
            "Swaps",
            "suffix:swaps",
            "How often the api processes have taken a version into service since they started. One step for each new "
            "version and process is good. Many steps without new versions mean that somebody moves the alias "
            "repeatedly.",
            {"{{role}}": 'sum by (role) (model_swaps_total{problem="$problem"})'},
        ).decimals(0),
        lines(
            "Versions that could not be loaded",
            "suffix:attempts",
            "Failed attempts within three minutes to take a version into service. 0 is good. Otherwise the former "
            "version still answers, and the api's log holds the reason: see ReloadFailing in docs/operations.md.",
            {"failed": 'sum(increase(model_reload_failures_total{problem="$problem"}[3m]))'},
            ((PLAIN, None), (BAD, 1)),
        ).decimals(0),
    )


def _by_version(panel: table.Panel) -> table.Panel:
    gauge = DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "basic"})
    shown = (
        TableColumn("model_name", "model"),
        TableColumn("model_version", "version"),
        TableColumn("Value", "time", (gauge,)),
    )
    return newest_first(columns(panel, *shown))


def _age(state: str) -> str:
    return or_zero(f'max(suggestions_oldest_seconds{{problem="$problem", state="{state}"}})')
