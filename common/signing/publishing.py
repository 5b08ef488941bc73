"""Signing of the versions that training and fine-tuning register.

The hashes are those of the files as MLflow's package writes them on this machine, before it sends them to the server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import Model

from common.settings import Settings
from common.signing.keys import made_key, require_key
from common.signing.signature import TAG, hash_of, sign

FILES = {"mlflow.sklearn": "model.skops", "mlflow.onnx": "model.onnx"}

Register = Callable[[str, str, Mapping[str, str]], ModelVersion]

_hashes: dict[str, str] = {}  # of files that are logged and not yet signed, by the ids of MLflow's models


@dataclass(frozen=True)
class _Signed:
    """A version to sign, as `VersionInRegistry`."""

    name: str
    number: int
    tags: Mapping[str, str]


class NotedFlavour:
    """A flavour of MLflow that notes the hash of the file that it writes."""

    def __init__(self, flavour: Any) -> None:
        """Write models as `flavour` does, a module of MLflow."""
        self.__name__ = flavour.__name__
        self._flavour = flavour

    def save_model(self, path: str, mlflow_model: Model, **given: Any) -> None:
        """Write a model into a folder, as MLflow calls it."""
        self._flavour.save_model(path=path, mlflow_model=mlflow_model, **given)
        _hashes[str(mlflow_model.model_id)] = hash_of((Path(path) / FILES[self.__name__]).read_bytes())


class SignedRegistration:
    """Registers versions with their signature, the scikit-learn twin first, then the ONNX version."""

    def __init__(self, settings: Settings, register: Register) -> None:
        """Register by `register`, given name, address of the logged model, and tags.

        Raises:
            SettingsError: as `require_key`.
        """
        require_key(settings)
        self._key = made_key(settings)
        self._register = register
        self._twin_hash = ""

    def __call__(self, name: str, uri: str, tags: Mapping[str, str]) -> ModelVersion:
        """Register a model that this process has logged by a `NotedFlavour`."""
        file_hash = _hashes.pop(uri.rpartition("/")[2])

        def signature(number: int) -> str:
            return sign(self._key, _Signed(name, number, tags), file_hash, self._twin_hash).tag()

        # The signature is registered with the version, so that no kill leaves a version without it.
        expected = _next_number(name)
        made = self._register(name, uri, {**tags, TAG: signature(expected)})
        if (number := int(made.version)) != expected:
            MlflowClient().set_model_version_tag(name, made.version, TAG, signature(number))
        self._twin_hash = file_hash
        return made


def _next_number(name: str) -> int:
    """Return the number that the next version gets if none was deleted and nobody else registers one."""
    found = MlflowClient().search_model_versions(f"name = '{name}'", 1, ["version_number DESC"])
    return int(found[0].version) + 1 if found else 1
