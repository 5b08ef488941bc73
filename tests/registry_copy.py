"""A training's versions, kept and registered again: a test that needs a version 1 does not train it anew."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow

from common.registry.client import Version
from common.settings import Settings

FILES = (".lab/signing.key", "models/iris/model.onnx")


@dataclass(frozen=True)
class RegistryCopy:
    """All that a training has left in a registry and in the folder of its lab, but for the data.

    Attributes:
        home: is that folder.
        versions: are the registered versions, one of each model, oldest first.
        aliases: are the aliases of each model by its name.
    """

    home: Path
    versions: Sequence[Version]
    aliases: Mapping[str, Sequence[str]]

    def restore(self, settings: Settings) -> Version:
        """Register the versions in an empty registry of the same server; return the newest one."""
        client = mlflow.MlflowClient(settings.mlflow_uri)
        for version in self.versions:
            client.create_registered_model(version.name)
            made = client.create_model_version(
                version.name, version.source, tags=dict(version.tags), model_id=version.source.rpartition("/")[2]
            )
            assert int(made.version) == version.number == 1
            for alias in self.aliases[version.name]:
                client.set_registered_model_alias(version.name, alias, made.version)
        for file in FILES:
            (settings.lab_home / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.home / file, settings.lab_home / file)
        return version


def copy_of(settings: Settings) -> RegistryCopy:
    """Return a copy of what the training of a lab has registered."""
    client = mlflow.MlflowClient(settings.mlflow_uri)
    models = client.search_registered_models()
    found = [version for model in models for version in client.search_model_versions(f"name = '{model.name}'")]
    found.sort(key=lambda each: each.creation_timestamp)
    versions = [Version(each.name, int(each.version), str(each.source), each.tags) for each in found]
    return RegistryCopy(settings.lab_home, versions, {model.name: sorted(model.aliases) for model in models})
