"""Quotas: when they hold, whom they count together, and what is one too many."""

import pytest
from pydantic import SecretStr

from common.settings import Settings
from trust.vetting.quotas import Quotas, Used, network_of, over_quota, quotas_of


def test_quotas_hold_if_somebody_reviews_or_if_a_setting_says_so() -> None:
    nobody = Settings(_env_file=None)
    reviewed = nobody.model_copy(update={"review_key": SecretStr("r")})
    assert quotas_of(nobody, 120) is None
    assert quotas_of(reviewed, 120) == Quotas(batch=2, day=20, rows=12)
    assert quotas_of(nobody.model_copy(update={"quotas": "on"}), 120) == Quotas(2, 20, 12)
    assert quotas_of(reviewed.model_copy(update={"quotas": "off"}), 120) is None


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("key", "key"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_a_source_is_counted_by_its_network(source: str | None, network: str) -> None:
    assert network_of(source) == network


def test_the_first_corrections_of_a_source_pass_and_the_next_one_is_too_many() -> None:
    quotas, used = Quotas(batch=2, day=3, rows=4), Used()
    for _ in range(2):
        assert over_quota(quotas, used, "a") is None
        used.add("a")
    found = over_quota(quotas, used, "a")
    assert found is not None
    assert (found.rule, found.number) == ("quota", 2.0)
    assert over_quota(quotas, used, "b") is None


def test_the_day_and_the_share_hold_when_the_batch_has_begun_anew() -> None:
    quotas, used = Quotas(batch=2, day=3, rows=4), Used()
    for network in "aaab":
        used.add(network)
    used.batch.clear()
    day, share = over_quota(quotas, used, "a"), over_quota(quotas, used, "c")
    assert day is not None
    assert day.reason == "3 corrections of the same source have passed in 24 hours, and 3 is the most"
    assert share is not None
    assert (share.rule, share.number) == ("share", 4.0)
