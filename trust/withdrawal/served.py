"""The versions under the aliases of a problem's models, and those that may take their place after a withdrawal."""

from dataclasses import dataclass

from mlflow import MlflowClient

from common.problem import Problem
from common.registry import publish
from common.registry.client import ANCHOR, CHALLENGER, Version
from common.store import Store
from trust.withdrawal.effects import STARTED_FROM, is_tainted, standing


@dataclass(frozen=True)
class ServingAliases:
    """The registered versions of a problem. A version is tainted if it has learnt a withdrawn correction."""

    problem: Problem
    store: Store

    def champion(self) -> Version | None:
        """Return the version that serves; None if none is registered."""
        name = self.problem.onnx_name
        return publish.champion(name) if publish.newest(name) else None

    def tainted(self, version: Version) -> bool:
        """Return whether a version has learnt a withdrawn correction, or may have."""
        return is_tainted(self.store, self.problem, version)

    def before(self, serving: Version) -> Version | None:
        """Return the newest untainted version before the serving one that served and was not taken back.

        If there is none, it is the version of the training; None if that is not in the registry any more.
        """
        name = self.problem.onnx_name
        since = publish.created_at(name)
        history = [each for each in self.store.champions.history(name) if each.since > since]
        for number in standing(history):
            found = publish.version(name, number) if number < serving.number else None
            if found and self._may_serve(found):
                return found
        return self._training(serving)

    def move_others(self, champion: Version, shadow: Version | None = None, anchor: Version | None = None) -> None:
        """Move the aliases `challenger` and `anchor` to these versions, or else off tainted versions.

        `champion` is the version that is about to get the alias `champion`.
        """
        aliases = MlflowClient().get_registered_model(self.problem.onnx_name).aliases
        present = {alias: publish.version(self.problem.onnx_name, int(number)) for alias, number in aliases.items()}
        old = present.get(CHALLENGER)
        if shadow and shadow.number != champion.number:
            self.point(CHALLENGER, shadow)
        elif old and (old.number == champion.number or self.tainted(old)):
            self.point(CHALLENGER, None)
        old = present.get(ANCHOR)
        if anchor or (old and self.tainted(old)):
            self.point(ANCHOR, anchor or self._training(champion))

    def point(self, alias: str, version: Version | None) -> None:
        """Move an alias of both models, that of the ONNX model last; None removes it, which may be absent."""
        if version:
            publish.move_aliases(self.problem, version, alias)
            return
        for name in (self.problem.sklearn_name, self.problem.onnx_name):
            MlflowClient().delete_registered_model_alias(name, alias)

    def _training(self, version: Version) -> Version | None:
        """Return the version of the training behind a version; None if it is not in the registry any more."""
        base = version.tags.get(STARTED_FROM)
        if base is None:
            return version
        found = publish.newest(self.problem.onnx_name, {"sklearn_version": base})
        return found if found and self._may_serve(found) else None

    def _may_serve(self, version: Version) -> bool:
        twin = version.tags.get("sklearn_version")
        has_twin = twin is not None and publish.version(self.problem.sklearn_name, int(twin)) is not None
        return has_twin and not self.tainted(version)
