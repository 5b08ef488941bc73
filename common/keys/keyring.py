"""All keys of a lab: API_KEY, REVIEW_KEY, and the named ones in the file."""

import hashlib
import time
from typing import Any

from common.keys.holders import OF_SETTINGS, KeyHolder, KeyRole
from common.keys.keys_file import KeysFile, digest
from common.keys.sessions import holder_of
from common.settings import Settings


class Keyring:
    """The holders of all keys."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys of the settings now, and those of the file whenever it changes."""
        self._file = KeysFile(settings)
        keys = [key.get_secret_value() if key else "" for key in (settings.api_key, settings.review_key)]
        roles: tuple[KeyRole, KeyRole] = ("review" if keys[1] else "operate", "operate")
        secret = _slow_hash("\0".join(keys)) if any(keys) else b""
        self._of_settings = {
            digest(key): KeyHolder(name, role, secret)
            for key, name, role in zip(keys, OF_SETTINGS, roles, strict=True)
            if key
        }
        self._keys = dict(zip(OF_SETTINGS, keys, strict=True))

    @property
    def has_keys(self) -> bool:
        """Whether the lab has any key, of the settings or named, or a file that is broken."""
        return bool(self._of_settings) or self.has_file

    @property
    def has_file(self) -> bool:
        """Whether the lab has named keys, or a file that is broken."""
        return self._file.holders() is not None

    def named(self, given: str) -> KeyHolder | None:
        """Return the holder of a named key, or of a session that began with one; None for any other text."""
        holders = self._file.holders()
        if not holders or not given:
            return None
        by_name = {each.name: each for each in holders.values()}
        return holders.get(digest(given)) or holder_of(given, by_name.get, time.time())

    def holder(self, given: str) -> KeyHolder | None:
        """Return the holder of a key or of a session; None for any other text."""
        own = {each.name: each for each in self._of_settings.values()}
        found = self._of_settings.get(digest(given)) or holder_of(given, own.get, time.time())
        return found or self.named(given)

    def for_api(self, holder: KeyHolder, session: str) -> str:
        """Return the text by which the api knows the holder of a session: the key of the settings, or the session."""
        return self._keys.get(holder.name, session)


def keyring_of(app: Any) -> Keyring:
    """Return the keyring in the state of an application."""
    found: Keyring = app.state.keyring
    return found


def _slow_hash(keys: str) -> bytes:
    """Return a secret that depends on the keys. It takes 50 ms, so that a session is no quick way to try words."""
    return hashlib.scrypt(keys.encode(), salt=b"sessions of a lab", n=2**14, r=8, p=1)
