"""The holders of keys, and their roles."""

from dataclasses import dataclass, field
from typing import Literal, get_args

KeyRole = Literal["read", "review", "operate"]
ROLES: tuple[KeyRole, ...] = get_args(KeyRole)  # each may do everything that the ones before it may do


@dataclass(frozen=True)
class KeyHolder:
    """A person or a program that has a key.

    Attributes:
        name: the name of the key: "key" is API_KEY, and "review key" is REVIEW_KEY.
        role: *read* looks at rows of people, *review* also decides about corrections and sends ground truths, and
            *operate* also moves versions and reads the audit log.
        secret: signs the sessions of this holder; it changes with the key.
    """

    name: str
    role: KeyRole
    secret: bytes = field(repr=False)

    def may(self, role: KeyRole) -> bool:
        """Return whether the holder may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def source(self) -> str:
        """The name under which the store keeps what the holder sends; "review key" says that it needs no review."""
        if self.name in OF_SETTINGS:
            return self.name
        return f"{OF_SETTINGS[1] if self.may('review') else OF_SETTINGS[0]} {self.name}"


OF_SETTINGS = ("key", "review key")  # the names of API_KEY and REVIEW_KEY
