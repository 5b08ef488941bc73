"""The history of one correction, which the tab *Corrections* shows on request, and the form that takes it back.

The form can also take back all corrections of the same client.
"""

from monitor.page.panels import Panel, PanelTable, PanelText
from monitor.page.view import View
from monitor.page.withdrawable import Withdrawable

TITLE = "One correction"
UNKNOWN = "The store has no correction with this id. POST /suggest at the api answers with the id of a new one."
BEFORE = "Its history began before the store kept one."


def one_correction(view: View) -> list[Panel]:
    """Return the panel of the correction that the request names; none without a name."""
    chosen = view.selection
    if not chosen.correction:
        return []
    found = view.store.suggestions.get(chosen.correction)
    if found is None or found.problem != chosen.problem:
        return [PanelTable(PanelText("correction", TITLE, UNKNOWN), ()).add("text", "state", "State", str).panel()]
    steps = view.store.trust.events.of(found.id)
    note = f"Correction {found.id} says {found.class_name}. It is {found.state}."
    panel = (
        PanelTable(PanelText("correction", TITLE, BEFORE, note), steps)
        .add("moment", "at", "Moment", lambda each: each.at)
        .add("text", "state", "State", lambda each: each.state)
        .add("text", "actor", "By", lambda each: each.actor)
        .add("text", "reason", "Reason", lambda each: each.reason)
        .panel()
    )
    correction, source = "" if found.state == "withdrawn" else found.id, found.source or ""
    if view.takes_forms and (correction or source):
        panel.withdrawal = Withdrawable(correction=correction, source=source)
    return [panel]
