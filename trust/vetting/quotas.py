"""Quotas: how much of what a version learns may come from one source, or from sources that nobody has reviewed.

Plausible lies break no rule, because they lie where classes overlap. So their number is limited. Pure functions.
"""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from common.settings import Settings
from trust.vetting.rules import Finding

UNKNOWN = "unknown"
PREFIX = 64  # bits of an IPv6 address that a provider gives to a client, which chooses the rest itself


@dataclass(frozen=True)
class Quotas:
    """The largest numbers of corrections without a review.

    Attributes:
        batch: of one network among the corrections that wait for their first judgement.
        day: of one network in 24 hours.
        rows: of all networks in finetune.csv.
    """

    batch: int
    day: int
    rows: int


@dataclass
class Used:
    """How many corrections have passed so far; counts by network."""

    batch: Counter[str | None] = field(default_factory=Counter)
    day: Counter[str | None] = field(default_factory=Counter)
    rows: int = 0

    def add(self, network: str | None) -> None:
        """Count one more."""
        self.batch[network] += 1
        self.day[network] += 1
        self.rows += 1


def quotas_of(settings: Settings, training_rows: int) -> Quotas | None:
    """Return the quotas; None if they do not hold.

    With `auto` they hold if there is a key for reviewers. Otherwise nobody would see to what waits.
    """
    if settings.quotas == "off" or (settings.quotas == "auto" and settings.review_key is None):
        return None
    return Quotas(settings.quota_batch, settings.quota_day, int(settings.quota_share * training_rows))


def network_of(source: str | None) -> str:
    """Return the network of a source: an IPv6 address counts with all others of its /64 as one client.

    A key, an IPv4 address, or a text that is no address, counts alone.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(source or "")
    except ValueError:
        return source or UNKNOWN
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address)


def over_quota(quotas: Quotas, used: Used, network: str | None) -> Finding | None:
    """Return why one more correction of a network is too many; None if it is not."""
    counts = {
        "batch": (used.batch[network], quotas.batch, "of the same source wait already for the next version"),
        "day": (used.day[network], quotas.day, "of the same source have passed in 24 hours"),
        "share": (used.rows, quotas.rows, "that nobody has reviewed are in finetune.csv"),
    }
    for name, (count, most, where) in counts.items():
        if count >= most:
            reason = f"{count} corrections {where}, and {most} is the most"
            return Finding("share" if name == "share" else "quota", float(count), reason)
    return None
