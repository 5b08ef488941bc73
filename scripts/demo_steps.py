"""The steps of the demo that talk to the api over HTTP, or read its store: correct, wait for versions and alerts."""

from collections import Counter
from contextlib import closing
from typing import Any

import httpx

from common.problem import Problem, Value
from common.settings import Settings
from common.store import Store
from common.store.monitoring.alerts import Alert, Breach
from common.store.suggestions import TRAIN_AT
from scripts.parts import wait_for

PATIENCE = 120.0

Row = tuple[dict[str, Value], str]  # features by name, and the name of the class


class DemoError(RuntimeError):
    """A hop of the loop did not end as it should."""


def least_sure(api: httpx.Client, rows: list[Row]) -> list[dict[str, Any]]:
    """Return corrections of the predictions, the least certain first, about which a person would be asked first."""
    data = [list(features.values()) for features, _ in rows]
    answers = api.post("/predict", json={"data": data}).raise_for_status().json()["predictions"]
    order = sorted(range(len(rows)), key=lambda index: max((answers[index]["probabilities"] or {"": 0.0}).values()))
    return [
        {**rows[index][0], "class_name": rows[index][1], "prediction_id": answers[index]["prediction_id"]}
        for index in order
    ]


def served_version(api: httpx.Client) -> int | None:
    """Return the number of the version that serves; None while there is none."""
    response = api.get("/predict/test")
    return int(response.json()["model_version"]) if response.is_success else None


def correct(api: httpx.Client, corrections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send corrections, and wait until all are vetted and those that passed are judged; return their statuses.

    Fewer than `TRAIN_AT` that passed are not judged: they wait for more.
    """
    ids = [api.post("/suggest", json=each).raise_for_status().json()["suggestion_id"] for each in corrections]

    def settled() -> list[dict[str, Any]] | None:
        found = [api.get(f"/suggest/{each}").raise_for_status().json() for each in ids]
        on_their_way = [each for each in found if each["state"] in {"received", "delivered"}]
        unjudged = [each for each in found if each["state"] == "waiting" and not each["judgement"]]
        return None if on_their_way or len(unjudged) >= TRAIN_AT else found

    return wait_for("the fine-tuning", settled, PATIENCE, every=0.25)


def learn(api: httpx.Client, corrections: list[dict[str, Any]], enough: int | None = None) -> list[dict[str, Any]]:
    """Send corrections, and wait until the version that has learnt them serves; return their statuses.

    Args:
        api: a client of the api.
        corrections: the corrections, the most useful first.
        enough: how many of them to send; for each that goes to quarantine, one more is sent.

    Raises:
        DemoError: no version has learnt them.
    """
    enough = enough or len(corrections)
    statuses, sent = correct(api, corrections[:enough]), enough
    while (
        not trained(statuses) and (missing := enough - len(in_state(statuses, "waiting"))) and sent < len(corrections)
    ):
        more = corrections[sent : sent + missing]
        sent += len(more)
        statuses = again(api, statuses) + correct(api, more)
    learnt = trained(again(api, statuses))
    if not learnt:
        raise DemoError(f"the corrections led to no version: {statuses[-1]['detail']}")
    wanted = learnt[-1]["model_version"]
    wait_for("serving the fine-tuned version", lambda: served_version(api) == wanted, PATIENCE)
    return again(api, statuses)


def again(api: httpx.Client, statuses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statuses of the same corrections as they are now."""
    return [api.get(f"/suggest/{each['suggestion_id']}").raise_for_status().json() for each in statuses]


def in_state(statuses: list[dict[str, Any]], *states: str) -> list[dict[str, Any]]:
    """Return the statuses of corrections in one of these states."""
    return [each for each in statuses if each["state"] in states]


def trained(statuses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statuses of corrections that a version has learnt."""
    return in_state(statuses, "trained")


def vetted(settings: Settings, statuses: list[dict[str, Any]]) -> str:
    """Return in words how many corrections vetting has kept from being learnt, by rule; an empty text if none."""
    stopped = {each["suggestion_id"] for each in in_state(statuses, "quarantined", "refused")}
    with closing(Store(settings.database_url)) as store:
        found = [store.trust.vettings.of([each]).get(each) for each in sorted(stopped)]
    rules = Counter(each.rule for each in found if each and each.outcome in {"quarantined", "known"})
    by_rule = ", ".join(f"{count} by the rule {rule}" for rule, count in rules.most_common())
    return f"vetting keeps {rules.total()} of {len(statuses)} from being learnt: {by_rule}" if rules else ""


def wait_for_alert(settings: Settings, problem: Problem, breach: Breach) -> Alert:
    """Wait until the monitor begins an alert; return it."""
    with closing(Store(settings.database_url)) as store:

        def begun() -> list[Alert]:
            return [each for each in store.alerts.open(problem.name) if (each.kind, each.subject) == breach]

        return wait_for(f"an alert: {breach}", begun, PATIENCE, every=0.25)[0]
