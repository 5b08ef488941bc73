"""The dashboard *Loop*: the state of the corrections, the time that they take, and where they are stuck."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import CORRECTIONS, FINETUNE_AGE, OUTBOX_AGE, QUARANTINED, REVIEW_AGE
from grafana.panels import (
    BAD,
    GOOD,
    PLAIN,
    SHARE,
    WATCH,
    DashboardPanel,
    at_most,
    lines,
    number,
    stacked,
    steps,
    words,
)
from grafana.queries import corrections, or_zero

# The states of an unfinished correction in their order, with their names on this dashboard.
UNSETTLED = (("received", "in the outbox"), ("delivered", "at Prefect"), ("waiting", f"waiting for {CORRECTIONS}"))
PAGES = {"Monitor: corrections, and their review": "/tab/corrections", "Monitor: versions": "/tab/comparison"}


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Now", _now(), height=5),
        Section("Corrections", _corrections()),
        Section("Vetting and review", _vetting(), widths=(8, 8, 8, 12, 12)),
        Section("Versions taken into service", _taken_into_service()),
    )
    about = "Where are people's corrections, how long do they take, and where are they stuck?"
    return frame("lab-loop", "Loop", about, sections, PAGES)


def _now() -> tuple[DashboardPanel, ...]:
    return (
        number(
            "Last correction to champion", "s", {"median": 'quantile(0.5, loop_seconds{problem="$problem"})'}
        ).no_value("no fine-tuned version yet"),
        number("Oldest in the outbox", "s", {"oldest": _age("received")}, at_most(OUTBOX_AGE)),
        number(
            "Servers of the loop",
            "none",
            {"{{job}}": 'min by (job) (up{job=~"prefect|monitor"})'},
            ((BAD, None), (GOOD, 1)),
        ).mappings([words({"0": ("down", BAD), "1": ("up", GOOD)})]),
    )


def _corrections() -> tuple[DashboardPanel, ...]:
    return (
        stacked(
            "Unfinished corrections", "suffix:corrections", {name: corrections(state) for state, name in UNSETTLED}
        ),
        lines(
            "Oldest correction by state",
            "s",
            {name: _age(state) for state, name in UNSETTLED},
            ((GOOD, None), (WATCH, OUTBOX_AGE), (BAD, FINETUNE_AGE)),
        ),
        steps(
            "Verdicts of the gate",
            "suffix:verdicts",
            {"{{verdict}}": 'sum by (verdict) (judgements_total{problem="$problem"})'},
        ).decimals(0),
    )


def _vetting() -> tuple[DashboardPanel, ...]:
    vetted = 'vetted_corrections{problem="$problem"%s}'
    return (
        stacked(
            "Waiting for a reviewer",
            "suffix:corrections",
            {"in quarantine": or_zero('sum(review_queue_corrections{problem="$problem"})')},
        ),
        lines(
            "Oldest in quarantine",
            "s",
            {"oldest": or_zero('max(review_queue_oldest_seconds{problem="$problem"})')},
            at_most(REVIEW_AGE),
        ),
        lines(
            "Quarantined within the hour",
            SHARE,
            {"quarantined": 'max(vetted_hour_quarantined_ratio{problem="$problem"})'},
            at_most(QUARANTINED),
        ),
        steps(
            "Vetted corrections",
            "suffix:corrections",
            {"{{outcome}}": f"sum by (outcome) ({vetted % ''})"},
        ).decimals(0),
        stacked(
            "Quarantined and not reviewed, by rule",
            "suffix:corrections",
            {"{{rule}}": "sum by (rule) (" + vetted % ', outcome="quarantined"' + ")"},
        ),
    )


def _taken_into_service() -> tuple[DashboardPanel, ...]:
    return (
        steps(
            "Versions in service",
            "none",
            {"{{role}} at {{instance}}": 'max by (role, instance) (served_model_version{problem="$problem"})'},
        ).decimals(0),
        steps("Swaps", "suffix:swaps", {"{{role}}": 'sum by (role) (model_swaps_total{problem="$problem"})'}).decimals(
            0
        ),
        lines(
            "Versions that could not be loaded",
            "suffix:attempts",
            {"failed": 'sum(increase(model_reload_failures_total{problem="$problem"}[3m]))'},
            ((PLAIN, None), (BAD, 1)),
        ).decimals(0),
    )


def _age(state: str) -> str:
    return or_zero(f'max(suggestions_oldest_seconds{{problem="$problem", state="{state}"}})')
