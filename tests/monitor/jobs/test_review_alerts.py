"""The queue of the review raises an alert when corrections wait for a day, and when most of an hour look wrong."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from common.store import Store
from common.store.tables import suggestions
from common.store.trust.reviews import CorrectionReview
from common.store.trust.tables import correction_events, vettings
from monitor.jobs.review_alerts import LEAST, ReviewAlerts
from monitor.jobs.webhook import Webhook
from monitor.statistics.breaches import MANY_QUARANTINED, REVIEWS_WAITING
from tests.common.store.rows import prediction
from tests.common.store.trust.queued import quarantine
from tests.monitor.references import Clock, away
from tests.receiver import Receiver

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def stop_at(store: Store, moment: datetime, *names: str, problem: str = "iris") -> None:
    """Quarantine corrections at a moment."""
    for name in names:
        quarantine(store, name, at=moment, problem=problem)
    with store._database.writing() as connection:
        c = correction_events.c
        connection.execute(correction_events.update().where(c.suggestion_id.in_(names)).values(at=moment))


def pass_at(store: Store, moment: datetime, *names: str) -> None:
    """Let vetting pass corrections at a moment."""
    stop_at(store, moment, *names)
    with store._database.writing() as connection:
        connection.execute(vettings.update().where(vettings.c.suggestion_id.in_(names)).values(outcome="passed"))
        passed = suggestions.update().where(suggestions.c.id.in_(names))
        connection.execute(passed.values(quarantined_because=None))


def look(store: Store, at: datetime = NOW) -> dict[tuple[str, str], str]:
    """Look at the queues; return the messages of the open alerts, by problem and kind."""
    ReviewAlerts(store, Clock(at)).run()
    return {(alert.problem, alert.kind): alert.message for alert in store.alerts.open()}


def many(number: int, of: str) -> list[str]:
    return [f"{of}{each}" for each in range(number)]


def test_corrections_that_wait_for_more_than_a_day_are_one_alert_until_they_are_reviewed(kept: Store) -> None:
    stop_at(kept, NOW, "a")
    stop_at(kept, NOW + MINUTE, "b")
    assert look(kept, NOW + DAY) == {}
    found = look(kept, NOW + DAY + MINUTE)
    assert list(found) == [("iris", REVIEWS_WAITING)]
    assert found["iris", REVIEWS_WAITING].startswith(
        "2 corrections in quarantine, the first since 2026-03-02 12:00 (UTC)"
    )
    [alert] = kept.alerts.open()
    kept.trust.reviews.decide("iris", ["b"], CorrectionReview("approved", "key"))
    assert look(kept, NOW + 2 * DAY)["iris", REVIEWS_WAITING].startswith("1 correction in quarantine")
    assert [each.id for each in kept.alerts.open()] == [alert.id]
    kept.trust.reviews.decide("iris", ["a"], CorrectionReview("rejected", "key"))
    assert look(kept, NOW + 2 * DAY) == {}


@pytest.mark.parametrize(
    ("stopped", "passed", "alarms"), [(11, 9, True), (10, 10, False), (LEAST - 1, 0, False), (30, 10, True)]
)
def test_an_hour_in_which_most_corrections_are_quarantined_is_an_alert(
    kept: Store, stopped: int, passed: int, *, alarms: bool
) -> None:
    stop_at(kept, NOW - 61 * MINUTE, *many(50, "before"))
    pass_at(kept, NOW - MINUTE, *many(passed, "good"))
    stop_at(kept, NOW - MINUTE, *many(stopped, "odd"))
    found = look(kept)
    assert list(found) == [("iris", MANY_QUARANTINED)] * alarms
    if alarms:
        words = f"vetting has quarantined {stopped} of the {stopped + passed} corrections of the last hour; up to 50 %"
        assert found["iris", MANY_QUARANTINED].startswith(words)
        assert look(kept, NOW + 60 * MINUTE) == {}


def test_a_review_does_not_end_the_alert_of_the_hour_and_every_problem_is_watched_for_itself(kept: Store) -> None:
    kept.predictions.write([prediction("p")])
    names = many(LEAST, "odd")
    stop_at(kept, NOW - MINUTE, *names)
    kept.trust.reviews.decide("iris", names, CorrectionReview("rejected", "key"))
    stop_at(kept, NOW - 2 * DAY, "old", problem="other")
    assert set(look(kept)) == {("iris", MANY_QUARANTINED), ("other", REVIEWS_WAITING)}


def test_other_alerts_stay_as_they_are(kept: Store) -> None:
    kept.alerts.settle("iris", {"drift"}, {("drift", "petal width"): "it has drifted"}, NOW)
    stop_at(kept, NOW - 2 * DAY, "a")
    assert set(look(kept)) == {("iris", "drift"), ("iris", REVIEWS_WAITING)}


def test_the_webhook_gets_such_an_alert_once_with_the_page_of_its_problem(kept: Store, receiver: Receiver) -> None:
    stop_at(kept, NOW - 2 * DAY, "a")
    webhook = Webhook(kept, receiver.url, "http://page", Clock(NOW))
    for _ in range(2):
        look(kept)
        webhook.run()
    webhook.close()
    [posted] = receiver.posted
    assert (posted["kind"], posted["subject"], posted["monitor"]) == (REVIEWS_WAITING, "", "http://page/?problem=iris")


def test_a_store_that_is_away_is_logged_once(
    kept: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = ReviewAlerts(kept, Clock(NOW))
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "monitor"):
        patch.setattr(kept.trust.review_figures, "queues", away)
        job.run()
        job.run()
    assert caplog.text.count("the store is away") == 1
    stop_at(kept, NOW - 2 * DAY, "a")
    job.run()
    assert [alert.kind for alert in kept.alerts.open()] == [REVIEWS_WAITING]
