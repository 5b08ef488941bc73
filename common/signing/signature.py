"""The signature of a version: HMAC-SHA256 (RFC 2104) over its name, its number, the hash of its file, and its tags."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

TAG = "signature"  # of a version, in the registry
FORM = "hmac-sha256"
OF_TAG = re.compile(
    rf"{FORM} ([0-9a-f]{{8}}) ([0-9a-f]{{64}}) ([0-9a-f]{{64}}|-) ((?:[0-9a-f]{{2}})+) ([0-9a-f]{{64}})"
)


class VersionInRegistry(Protocol):
    """A version as the registry tells it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102


@dataclass(frozen=True)
class VersionSignature:
    """The signature of a version, as the tag `signature` has it.

    Attributes:
        key_id: tells which key has signed; it does not give the key away.
        file_hash: SHA-256 of the version's file, in hexadecimal digits.
        twin_hash: SHA-256 of the file of its scikit-learn twin; empty for the twin itself.
        signed_tags: the names of the tags that are signed.
        code: the message authentication code, in hexadecimal digits.
    """

    key_id: str
    file_hash: str
    twin_hash: str
    signed_tags: tuple[str, ...]
    code: str

    @classmethod
    def read(cls, tag: str) -> Self | None:
        """Return the signature in a tag; None if it has another form."""
        parts = OF_TAG.fullmatch(tag)
        if parts is None:
            return None
        key_id, file_hash, twin_hash, in_hex, code = parts.groups()
        try:
            names = json.loads(bytes.fromhex(in_hex))
        except (ValueError, RecursionError):
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return None
        return cls(key_id, file_hash, twin_hash.strip("-"), tuple(names), code)

    def tag(self) -> str:
        """Return the signature as the value of a tag."""
        names = json.dumps(self.signed_tags).encode().hex()
        return " ".join((FORM, self.key_id, self.file_hash, self.twin_hash or "-", names, self.code))


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def id_of(key: bytes) -> str:
    """Return a word of eight hexadecimal digits that names a key."""
    return hmac.new(key, b"the name of this key", hashlib.sha256).hexdigest()[:8]


def sign(key: bytes, version: VersionInRegistry, file_hash: str, twin_hash: str = "") -> VersionSignature:
    """Return the signature of a version with the tags that it has now, but for the signature itself."""
    names = tuple(sorted(version.tags.keys() - {TAG}))
    code = _code(key, version, file_hash, twin_hash, names)
    return VersionSignature(id_of(key), file_hash, twin_hash, names, code)


def holds(key: bytes, version: VersionInRegistry, signature: VersionSignature) -> bool:
    """Return whether this key has made the signature, for this version, with the tags that it has now."""
    code = _code(key, version, signature.file_hash, signature.twin_hash, signature.signed_tags)
    return hmac.compare_digest(code, signature.code)


def _code(key: bytes, version: VersionInRegistry, file_hash: str, twin_hash: str, names: tuple[str, ...]) -> str:
    tags = {name: version.tags.get(name) for name in names}
    signed = json.dumps([version.name, version.number, file_hash, twin_hash, tags], sort_keys=True).encode()
    return hmac.new(key, signed, hashlib.sha256).hexdigest()
