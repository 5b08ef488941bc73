"""The names by which a browser may reach the service.

The attack is DNS rebinding. A page of evil.example is open in a browser; its owner then lets evil.example point at
127.0.0.1. For the browser, page and service have the same origin now, so the page may read and change everything. But
the browser still sends `Host: evil.example`, and the service refuses names that are not its own.
"""

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from common.settings import Settings

LONGEST = 300  # bytes: a name has at most 253 characters
MOST_KEPT = 1_000
# Names that no stranger can own: of this machine, of the services in docker-compose.yaml, and of a container's host.
OWN = ("localhost", "*.localhost", "api", "monitor", "proxy", "host.docker.internal", "host.containers.internal")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::[0-9]{0,5})?", re.IGNORECASE)


class Hosts:
    """The known names. Every address in numbers is known, too: nobody can let an address point elsewhere."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Know `OWN` and further names; `*.example.org` stands for all names below example.org, and `*` for all."""
        given = {each.strip().lower() for each in names} - {""}
        known = {*OWN, socket.gethostname().lower(), *given}
        self._names = {each for each in known if "*" not in each}
        self._ends = tuple(each[1:] for each in known if each.startswith("*"))  # "*" becomes "", the end of every name
        self._seen: set[bytes] = set()

    def allows(self, value: bytes) -> bool:
        """Return whether a header `Host` with this value, a name or an address with or without a port, is known."""
        if value in self._seen:
            return True
        if len(value) > LONGEST or not self._knows(value.decode("latin-1")):
            return False
        if len(self._seen) < MOST_KEPT:
            self._seen.add(value)
        return True

    def _knows(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if not found:
            return False
        name = found[1].lower().removesuffix(".")
        return name in self._names or name.endswith(self._ends) or _is_address(name.strip("[]"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def hosts_of(settings: Settings) -> Hosts:
    """Return the names of a lab's services: `OWN`, the api of the problem in containers, and ALLOWED_HOSTS."""
    return Hosts([f"api-{settings.problem.replace('_', '-')}", *settings.allowed_hosts.split(",")])
