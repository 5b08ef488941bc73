"""Alerts at a real webhook: each once, tried again until it is taken, and never in a flood."""

import logging
import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from common.store import Store
from common.store.delivery import NEVER
from common.store.monitoring.alerts import Alert
from monitor.jobs.webhook import AT_ONCE, GIVE_UP, Webhook
from scripts.parts import free_port
from tests.common.store.rows import NOON
from tests.monitor.references import Clock, away
from tests.receiver import Receiver

PAGE = "http://127.0.0.1:5004"
SECOND = timedelta(seconds=1)


class Posting:
    """A webhook whose clock is set by hand."""

    def __init__(self, store: Store, url: str | None) -> None:
        self.clock = Clock(NOON)
        self.webhook = Webhook(store, url, PAGE, self.clock, random.Random(5))  # noqa: S311  # it spreads attempts

    def run(self, seconds: float = 0.0) -> None:
        self.clock.now = NOON + seconds * SECOND
        self.webhook.run()


@pytest.fixture
def posting(kept: Store, receiver: Receiver) -> Iterator[Posting]:
    found = Posting(kept, receiver.url)
    yield found
    found.webhook.close()


def begin(store: Store, *subjects: str, problem: str = "iris") -> None:
    store.alerts.settle(problem, {"drift"}, {("drift", name): f"{name} has drifted" for name in subjects}, NOON)


def alerts(store: Store) -> list[Alert]:
    return store.alerts.between("iris", NOON, NOON + SECOND, 100)[::-1]


def test_an_alert_is_posted_with_all_that_is_known_of_it(kept: Store, posting: Posting, receiver: Receiver) -> None:
    begin(kept, "petal width")
    [alert] = alerts(kept)
    posting.run()
    assert receiver.posted == [
        {
            "id": alert.id,
            "problem": "iris",
            "kind": "drift",
            "subject": "petal width",
            "message": "petal width has drifted",
            "began_at": NOON.isoformat(),
            "ended_at": None,
            "monitor": f"{PAGE}/?problem=iris",
        }
    ]
    assert receiver.keys == [f"alert-{alert.id}-{NOON.isoformat()}"]


def test_an_alert_of_no_problem_links_to_the_first_page(kept: Store, posting: Posting, receiver: Receiver) -> None:
    begin(kept, "x", problem="")
    posting.run()
    assert [(body["problem"], body["monitor"]) for body in receiver.posted] == [("", f"{PAGE}/")]


def test_an_episode_is_posted_once_however_often_it_is_seen(kept: Store, posting: Posting, receiver: Receiver) -> None:
    for _ in range(3):
        begin(kept, "x", "y")
        posting.run()
    assert [body["subject"] for body in receiver.posted] == ["x", "y"]
    assert [alert.posted_at for alert in alerts(kept)] == [NOON, NOON]


def test_an_episode_that_is_over_before_it_was_posted_is_posted_with_its_end(
    kept: Store, posting: Posting, receiver: Receiver
) -> None:
    begin(kept, "x")
    kept.alerts.settle("iris", {"drift"}, {}, NOON + SECOND)
    posting.run(2)
    assert [body["ended_at"] for body in receiver.posted] == [(NOON + SECOND).isoformat()]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refused_post_is_tried_again_until_it_is_accepted(
    kept: Store, posting: Posting, receiver: Receiver, status: int
) -> None:
    begin(kept, "x")
    receiver.status = status
    posting.run(0)
    [alert] = alerts(kept)
    assert (alert.attempts, alert.last_error, alert.posted_at) == (1, f"status {status}", None)
    receiver.status = 200
    posting.run(0.9)
    assert len(receiver.posted) == 1
    posting.run(2)
    posting.run(99)
    assert len(receiver.posted) == 2
    assert len(set(receiver.keys)) == 1
    [alert] = alerts(kept)
    assert (alert.posted_at, alert.last_error) == (NOON + 2 * SECOND, None)


@pytest.mark.parametrize(("port", "error"), [("free", "ConnectError"), ("many", "InvalidURL")])
def test_an_address_that_cannot_be_reached_is_noted_without_its_secret(
    kept: Store, caplog: pytest.LogCaptureFixture, port: str, error: str
) -> None:
    begin(kept, "x")
    # Each process that collects tests must find the same ones, so that no number is among the parameters.
    address = f"http://127.0.0.1:{free_port() if port == 'free' else port}"
    posting = Posting(kept, f"{address}/hook?token=secret")
    posting.run()
    posting.webhook.close()
    [alert] = alerts(kept)
    assert alert.last_error
    assert alert.last_error.startswith(f"{error}: ")
    assert error in caplog.text
    assert "secret" not in caplog.text + alert.last_error


def test_how_often_it_was_tried_survives_the_process(kept: Store, receiver: Receiver) -> None:
    begin(kept, "x")
    receiver.status = 500
    moment = 0.0
    moments: list[float] = []
    for _ in range(6):
        posting = Posting(kept, receiver.url)
        while len(receiver.posted) == len(moments):
            posting.run(moment)
            moment += 0.5
        moments.append(moment)
        posting.webhook.close()
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert [limit / 2 <= pause <= limit + 0.5 for pause, limit in zip(pauses, (2, 4, 8, 16, 32), strict=True)] == [
        True
    ] * 5


def test_a_post_that_is_refused_for_a_day_is_given_up(kept: Store, posting: Posting, receiver: Receiver) -> None:
    begin(kept, "x")
    receiver.status = 500
    posting.run(GIVE_UP.total_seconds() - 1)
    posting.run(GIVE_UP.total_seconds() + 999)
    assert len(receiver.posted) == 2
    [alert] = kept.alerts.due(NEVER, 9)
    assert alert.last_error == "status 500"
    posting.run(GIVE_UP.total_seconds() * 99)
    assert len(receiver.posted) == 2


def test_a_post_that_is_always_refused_does_not_delay_others(kept: Store, posting: Posting, receiver: Receiver) -> None:
    begin(kept, "a", "b")
    receiver.status = 400
    posting.run()
    assert [body["subject"] for body in receiver.posted] == ["a"]
    receiver.status = 200
    posting.run()
    assert [body["subject"] for body in receiver.posted] == ["a", "b"]


def test_without_an_address_nothing_is_posted_and_later_neither(
    kept: Store, posting: Posting, receiver: Receiver
) -> None:
    begin(kept, *"abc")
    without = Posting(kept, None)
    without.run()
    without.webhook.close()
    assert {alert.last_error for alert in alerts(kept)} == {"ALERT_WEBHOOK_URL is not set"}
    begin(kept, *"abcd")
    posting.run(GIVE_UP.total_seconds() - 60)
    assert [body["subject"] for body in receiver.posted] == ["d"]


def test_alerts_beyond_the_limit_of_a_run_are_posted_in_the_next(
    kept: Store, posting: Posting, receiver: Receiver
) -> None:
    begin(kept, *(f"{number:02}" for number in range(AT_ONCE + 3)))
    posting.run()
    assert len(receiver.posted) == AT_ONCE
    posting.run()
    assert len({body["id"] for body in receiver.posted}) == len(receiver.posted) == AT_ONCE + 3


def test_a_post_that_could_not_be_noted_is_noted_later_and_not_repeated(
    kept: Store, posting: Posting, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin(kept, "x")
    with monkeypatch.context() as patch:
        patch.setattr(kept.alerts, "delivered", away)
        posting.run(0)
        posting.run(1)
    posting.run(2)
    assert len(receiver.posted) == 1
    assert [alert.posted_at for alert in alerts(kept)] == [NOON + 2 * SECOND]
    assert caplog.text.count("the store is away") == 1


def test_a_failure_of_the_store_is_logged_once_each_time(
    kept: Store, posting: Posting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "monitor"):
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(kept.alerts, "due", away)
                posting.run()
                posting.run()
            posting.run()
    assert caplog.text.count("the store is away") == 2


def test_a_stopped_webhook_posts_no_more(kept: Store, posting: Posting, receiver: Receiver) -> None:
    begin(kept, "x", "y")
    posting.webhook.stop()
    posting.run()
    assert receiver.posted == []
