"""The key that signs versions: the setting SIGNING_KEY, or a file of the lab's own."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from common.settings import Settings, SettingsError

FILE = "signing.key"
LOCAL = {"127.0.0.1", "localhost", "::1"}


def key_path(settings: Settings) -> Path:
    """Return the path of the file that holds the key if SIGNING_KEY is not set."""
    return settings.state_dir / FILE


def signing_key(settings: Settings) -> bytes | None:
    """Return the key; None if there is none."""
    if settings.signing_key:
        return settings.signing_key.get_secret_value().encode()
    with suppress(FileNotFoundError):
        return key_path(settings).read_bytes().strip() or None
    return None


def made_key(settings: Settings) -> bytes:
    """Return the key; make one that its owner alone can read if there is none.

    Of several processes that make one at the same time, the first one wins.
    """
    path = key_path(settings)
    if settings.signing_key is None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(f"{secrets.token_hex(32)}\n", encoding="ascii")
        # A link, unlike a renaming, replaces nothing.
        with suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
    key = signing_key(settings)
    if key is None:
        raise OSError(f"{path} is empty: delete it, and the lab makes a new one")
    return key


def allows_unsigned(settings: Settings) -> bool:
    """Return whether unsigned versions are used: as ALLOW_UNSIGNED says, else if MLflow is on this machine."""
    if settings.allow_unsigned is not None:
        return settings.allow_unsigned
    return urlsplit(settings.mlflow_uri).hostname in LOCAL


def require_key(settings: Settings) -> None:
    """Check that versions can be signed, before a training begins.

    Raises:
        SettingsError: there is no key, and the services would refuse a version without signature.
    """
    if not allows_unsigned(settings) and signing_key(settings) is None:
        raise SettingsError(
            f"no SIGNING_KEY, and MLflow at {settings.mlflow_uri} is not on this machine: set the same long random "
            "words in all parts of the lab, such as `openssl rand -hex 32` prints, or ALLOW_UNSIGNED=true "
            "(docs/security.md)"
        )
