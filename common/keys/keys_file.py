"""The file of named keys: written by `python -m scripts.keys`, and read by the services whenever it has changed.

A key has 256 random bits, so that nobody can find it by trying; a slow hash, which protects words that people choose,
would only let strangers keep the service busy. The file has the SHA-256 of each key, never the key.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.keys.holders import OF_SETTINGS, KeyHolder, KeyRole
from common.settings import Settings

NAME = r"^[a-z][a-z0-9_-]{0,31}$"
RESERVED = {*OF_SETTINGS, "lab", "nobody"}
MOST_BYTES = 2**20
BEGINNING = "lab_"  # of each key, so that a search for lost secrets finds it

logger = logging.getLogger(__name__)


class KeysFileError(ValueError):
    """The file of keys cannot be used, or a key cannot be added."""


class KeyRecord(BaseModel):
    """A key in the file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=NAME)]
    role: KeyRole
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    made_at: datetime


class KeysDocument(BaseModel):
    """The content of the file: the secret that signs sessions, in base64, and the keys."""

    model_config = ConfigDict(extra="forbid")

    secret: Annotated[str, Field(min_length=40)]
    keys: list[KeyRecord] = []


def keys_path(settings: Settings) -> Path:
    """Return the path of the file: KEYS_FILE, or the file's place in the lab's state."""
    return settings.keys_file or settings.state_dir / "keys" / "keys.json"


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def read_keys(path: Path) -> KeysDocument:
    """Return the content of a file of keys.

    Raises:
        KeysFileError: the file is missing, too long, or no file of keys; the message has no secret.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise KeysFileError(f"{path} is longer than {MOST_BYTES} bytes")
        found = KeysDocument.model_validate_json(content)
        b64decode(found.secret, validate=True)
    except OSError as error:
        raise KeysFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise KeysFileError(f"{path} is no file of keys: {place}: {first['msg']}") from None
    except ValueError as error:
        raise (
            error if isinstance(error, KeysFileError) else KeysFileError(f"{path}: the secret is not base64")
        ) from None
    if len({each.name for each in found.keys}) < len(found.keys):
        raise KeysFileError(f"{path} has two keys of one name")
    return found


def change_keys(path: Path, change: Callable[[KeysDocument], object]) -> None:
    """Change the file of keys as a whole or not at all; only its owner may read it. A missing file begins empty."""
    new = KeysDocument(secret=b64encode(secrets.token_bytes(32)).decode())
    document = read_keys(path) if path.exists() else new
    change(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its owner alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(document.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def add_key(document: KeysDocument, name: str, role: KeyRole) -> str:
    """Add a key, or replace the one of this name, and return it. It cannot be shown again.

    Raises:
        KeysFileError: the name cannot be used.
    """
    if not re.fullmatch(NAME, name) or name in RESERVED:
        raise KeysFileError(f"{name!r} cannot be a key's name: use a letter, then letters, digits, - or _, 32 at most")
    key = f"{BEGINNING}{secrets.token_urlsafe(32)}"
    remove_key(document, name)
    document.keys.append(KeyRecord(name=name, role=role, sha256=digest(key), made_at=datetime.now(UTC)))
    return key


def remove_key(document: KeysDocument, name: str) -> bool:
    """Remove the key of a name; return whether there was one."""
    left = [each for each in document.keys if each.name != name]
    there = len(left) < len(document.keys)
    document.keys[:] = left
    return there


class KeysFile:
    """The holders in the file, as it is now."""

    def __init__(self, settings: Settings) -> None:
        """Read the file of the settings when it is first asked for, and again after each change."""
        self._path, self._is_named = keys_path(settings), settings.keys_file is not None
        self._signature: tuple[int, ...] | None = (-1,)
        self._holders: Mapping[str, KeyHolder] | None = None

    def holders(self) -> Mapping[str, KeyHolder] | None:
        """Return the holders by the digests of their keys; None if the lab has no file of keys.

        A file that cannot be used has no holders: it opens nothing.
        """
        try:
            found = self._path.stat()
            signature: tuple[int, ...] | None = (found.st_mtime_ns, found.st_size, found.st_ino)
        except FileNotFoundError:
            signature = None
        except OSError as error:
            signature = (error.errno or 0,)
        if signature != self._signature:
            self._signature, self._holders = signature, self._read(there=signature is not None)
        return self._holders

    def _read(self, *, there: bool) -> Mapping[str, KeyHolder] | None:
        if not there and not self._is_named:
            return None
        try:
            document = read_keys(self._path)
        except KeysFileError as error:
            logger.error("no named key opens anything: %s", error)
            return {}
        secret = b64decode(document.secret)
        return {
            each.sha256: KeyHolder(each.name, each.role, hmac.digest(secret, each.sha256.encode(), "sha256"))
            for each in document.keys
        }
