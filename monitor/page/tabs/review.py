"""The review queue of the tab *Corrections*: everything in quarantine, with what a person needs to decide about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common.store.suggestions import TRAIN_AT
from common.store.trust.history import CorrectionEvent
from common.store.trust.queue import QueuedCorrection
from common.store.trust.reviews import ROLL_BACK
from monitor.page.formatting import formatted
from monitor.page.panels import Card, Cards, Cell, NearRow, Panel, PanelTable, PanelText, ScatterMap, StateStep
from monitor.page.tabs.cells import VERSION, feature_columns, prediction_link
from monitor.page.view import View

PAGE = 20  # corrections
LAST_TIME = timedelta(hours=1)
LARGE_SHARE = 0.5  # of the corrections of the last time, if they are enough for a version
TITLE = "Corrections to review"
NO_VETTING = (
    "VETTING is off: nobody vets corrections, and every valid one that comes to POST /suggest is learnt. Nothing is "
    "in quarantine."
)
NONE = (
    "No correction is in quarantine. Vetting puts corrections there that look wrong, before they are learnt, and a "
    "rollback those of its version: POST /models/rollback at the api."
)
NONE_OF_RULE = "No correction is in quarantine because of this rule; POST /corrections/review at the api changes that."
VETTING_NOTE = "Vetting or a rollback has put them into quarantine: nobody learns from them until somebody approves."
OFF_NOTE = "VETTING is off: nobody vets new corrections. These came into quarantine before, or by a rollback."
WHAT_TO_DO = "Send the ground truth of some predictions (POST /feedback), or review these."


def review_queue(view: View) -> Panel:
    """Return one page of the corrections in quarantine, of any day and version, newest first."""
    queue, chosen = view.store.trust.queue, view.selection
    total = queue.total(chosen.problem)
    rules = queue.by_rule(chosen.problem, total) if total else {}
    number = rules.get(chosen.rule, 0) if chosen.rule else total
    pages = max(-(-number // PAGE), 1)
    page = min(chosen.page, pages)
    found = queue.page(chosen.problem, PAGE, PAGE * (page - 1), chosen.rule) if total else []
    panel = _table(view, found, total)
    if total:
        panel.cards = Cards(
            **_contents(view, found),
            rules=rules,
            rule=chosen.rule,
            page=page,
            pages=pages,
            takes_reviews=view.takes_forms,
        )
    return panel


def _table(view: View, found: Sequence[QueuedCorrection], total: int) -> Panel:
    vetting, chosen = view.backends.vetting, view.selection
    empty = NONE_OF_RULE if total else NONE if vetting else NO_VETTING
    text = PanelText("quarantined", TITLE, empty, _note(view, total), "cards", _warning(view) if total else "")
    features = feature_columns(each.suggestion.features for each in found)
    return (
        PanelTable(text, found)
        .add("moment", "received", "Received", lambda each: each.suggestion.received_at)
        .add("text", "class", "Claimed class", lambda each: each.suggestion.class_name)
        .add("text", "rule", "Rule", lambda each: each.rule)
        .add("text", "reason", "Reason", lambda each: each.suggestion.quarantined_because)
        .add("number", "number", "Number", lambda each: each.number)
        .add("text", "answer", "Answer of the champion", lambda each: each.details.get("answer"))
        .add("ratio", "confidence", "Confidence", lambda each: each.details.get("confidence"))
        .add("text", "anchor", "Answer of the anchor", lambda each: _anchor(each).get("answer"))
        .add("ratio", "anchor_confidence", "Its confidence", lambda each: _anchor(each).get("confidence"))
        .add("text", "nearest", "Nearest rows", lambda each: _classes(_nearest(each)))
        .columns(features.values(), lambda each: [each.suggestion.features.get(name) for name in features])
        .add("text", "source", "Source", lambda each: each.suggestion.source)
        .add("link", "prediction", "Prediction", lambda each: _prediction(chosen.problem, each))
        .column(VERSION, lambda each: view.version_link(each.suggestion.trained_version))
        .add("text", "id", "Id", lambda each: each.suggestion.id)
        .panel()
    )


def _note(view: View, total: int) -> str:
    if not total:
        return ""
    note = f"{total:,} in quarantine, of all days. {VETTING_NOTE if view.backends.vetting else OFF_NOTE}"
    return note if view.takes_forms else f"{note} Review them at the api of {view.selection.problem}."


def _warning(view: View) -> str:
    """Return what to do if a large share of the last corrections is in quarantine."""
    since = datetime.now(UTC) - LAST_TIME
    share = view.store.trust.review_figures.share(view.selection.problem, since)
    if share.vetted < TRAIN_AT or share.quarantined < LARGE_SHARE * share.vetted:
        return ""
    return (
        f"Vetting has put {share.quarantined:,} of the {share.vetted:,} corrections of the last hour into quarantine: "
        f"somebody is trying something, or the world has changed. {WHAT_TO_DO}"
    )


def _contents(view: View, found: Sequence[QueuedCorrection]) -> dict[str, Any]:
    """Return the cards, and the maps that they need."""
    queue, problem = view.store.trust.queue, view.selection.problem
    anchors = {anchor for each in found if isinstance(anchor := each.details.get("anchor_version"), int)}
    maps = {str(version): _map(content) for version, content in queue.maps(problem, anchors).items()}
    histories = queue.histories([each.suggestion.id for each in found])
    newest = max(maps, key=int, default="")
    cards = [_card(each, histories[each.suggestion.id], maps, newest) for each in found]
    used = {card.map for card in cards if card.place}
    return {"cards": cards, "maps": {key: content for key, content in maps.items() if key in used}}


def _card(
    found: QueuedCorrection, history: Sequence[CorrectionEvent], maps: Mapping[str, ScatterMap], newest: str
) -> Card:
    key = str(found.details.get("anchor_version", newest))
    place = found.details.get("at")
    return Card(
        id=found.suggestion.id,
        words=_words(found),
        features=dict(found.suggestion.features),
        nearest=[NearRow(**row) for row in _nearest(found)],
        map=key,
        place=tuple(place) if place and key in maps else None,
        history=[StateStep(**{**vars(each), "at": each.at.isoformat()}) for each in history],
    )


def _words(found: QueuedCorrection) -> list[str]:
    """Return what champion and anchor answer, and which classes the nearest rows have."""
    if found.rule == ROLL_BACK:
        return [f"Version {found.suggestion.trained_version} had learnt it and was taken back."]
    details = found.details
    champion, anchor = (_version(role, details.get(f"{role}_version")) for role in ("champion", "anchor"))
    words = [_answer(champion, details), _answer(anchor, _anchor(found))]
    if nearest := _nearest(found):
        words.append(f"Nearest rows: {_classes(nearest)}.")
    return [each for each in words if each]


def _version(role: str, number: int | None) -> str:
    return f"The {role}, version {number}," if number else f"The {role}"


def _answer(who: str, answer: Mapping[str, Any]) -> str:
    if not (name := answer.get("answer")):
        return ""
    sure = answer.get("confidence")
    return f"{who} answers {name}" + ("." if sure is None else f", {formatted(sure, 'ratio')} sure.")


def _anchor(found: QueuedCorrection) -> Mapping[str, Any]:
    return found.details.get("anchor") or {}


def _classes(rows: Sequence[Mapping[str, Any]]) -> str | None:
    counts = Counter(str(row["class_name"]) for row in rows).most_common()
    return ", ".join(f"{number} of {name}" for name, number in counts) or None


def _nearest(found: QueuedCorrection) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = found.details.get("nearest") or ()
    return rows


def _prediction(problem: str, found: QueuedCorrection) -> Cell:
    return prediction_link(problem, found.suggestion.prediction_id)


def _map(content: Mapping[str, Any]) -> ScatterMap:
    first, second = content["axes"]
    return ScatterMap(axes=(str(first), str(second)), points=content["points"], classes=content["classes"])
