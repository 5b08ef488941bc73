"""The access rules of an application that knows named keys beside API_KEY and REVIEW_KEY."""

from dataclasses import replace

from starlette.types import Scope

from api.http.access import Access, Sender, key_error
from common.keys.keyring import Keyring
from common.settings import Settings


class NamedAccess(Access):
    """`Access` with named keys. `RoleCheck` has compared the role of such a key with its request before.

    Attributes:
        keyring: all keys.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the keys of the settings; the named ones are read whenever their file changes."""
        super().__init__(settings)
        self.keyring = Keyring(settings)

    def check_key(self, key: str | None) -> None:
        """Raise 401 unless the lab has no key, or this is one of its keys."""
        if self.keyring.has_file and self.name(key) is None:
            raise key_error("key")
        super().check_key(key)

    def name(self, key: str | None) -> str | None:
        """Return the name of a key; None for an unknown one."""
        holder = self.keyring.named(key or "")
        return holder.source if holder else super().name(key)

    def sender(self, key: str | None, client: str) -> Sender:
        """Return the sender of a request; nobody without a key sees figures of a lab that has keys."""
        found = super().sender(key, client)
        return replace(found, sees_figures=found.sees_figures and (found.trusted or not self.keyring.has_file))


def access_of(scope: Scope) -> NamedAccess:
    """Return the rules of the application that a request came to."""
    found: NamedAccess = scope["app"].state.access
    return found
