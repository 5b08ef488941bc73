"""The check of a downloaded file, before anything reads it: is it the file that the lab has registered?"""

import logging
from collections.abc import Callable

from common.bundle.answer import ModelError
from common.settings import Settings
from common.signing.external_data import has_external_data
from common.signing.keys import allows_unsigned, key_path, signing_key
from common.signing.signature import TAG, VersionInRegistry, VersionSignature, hash_of, holds, id_of

BUNDLE = "model.onnx"
ORT_FORMAT = b"ORTM"  # the mark of ONNX Runtime's own format, which ONNX Runtime also reads; it stands at byte 4

logger = logging.getLogger(__name__)


class NotTrustedError(ModelError):
    """A file of the registry must not be loaded; the message says why, and what to do."""


def check_of(settings: Settings) -> Callable[[VersionInRegistry, str, bytes], None]:
    """Return the check of a downloaded file, given its version, its name and its bytes.

    The key is read anew for each file, so that a service that started before the key was made knows it.
    """
    return lambda version, file, content: check(settings, version, file, content)


def check(settings: Settings, version: VersionInRegistry, file: str, content: bytes) -> None:
    """Check a file of a version.

    Raises:
        NotTrustedError: it is not signed, although it has to be; or it is not what was signed; or it is an ONNX file
            that would read other files of this machine.
    """
    named = f"{version.name} version {version.number}"
    signature = VersionSignature.read(version.tags.get(TAG, ""))
    key = signing_key(settings)
    if signature is None or key is None or signature.key_id != id_of(key):
        if not allows_unsigned(settings):
            raise NotTrustedError(f"{named} is not used: {_missing(settings, signature, key)}")
    elif not holds(key, version, signature):
        raise NotTrustedError(
            f"{named} is not used: its signature does not fit its tags. Somebody has changed a tag of this version in "
            "MLflow, or has copied the signature of another version"
        )
    elif signature.file_hash != hash_of(content):
        raise NotTrustedError(f"{named} is not used: somebody has changed {file} since it was signed")
    if file == BUNDLE:
        _check_alone(named, content)


def _missing(settings: Settings, signature: VersionSignature | None, key: bytes | None) -> str:
    if signature is None:
        return (
            "it has no signature. If you trust it, sign it with `python -m scripts.sign_version`, or set "
            "ALLOW_UNSIGNED=true, which trusts everybody who can reach MLflow"
        )
    if key is None:
        return (
            f"this service has no key to check its signature with. Set SIGNING_KEY to the value that the training has, "
            f"or copy its {key_path(settings)}"
        )
    return (
        f"the key {signature.key_id} has signed it, and this service has the key {id_of(key)}. Set the same "
        "SIGNING_KEY in all parts of the lab, or sign the version anew with `python -m scripts.sign_version`"
    )


def _check_alone(named: str, content: bytes) -> None:
    if content[4:8] == ORT_FORMAT:
        raise NotTrustedError(f"{named} is not used: its file has ONNX Runtime's own format; export it as ONNX")
    try:
        elsewhere = has_external_data(content)
    except ValueError:  # ONNX Runtime says better what is wrong with it
        return
    if elsewhere:
        raise NotTrustedError(
            f"{named} is not used: a tensor of its file is in another file (external data), which would be read from "
            "this machine. Export the model as one file: `mlflow.onnx.log_model(…, save_as_external_data=False)`"
        )
