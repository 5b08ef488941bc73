"""A service for BentoML."""

from typing import Any

import bentoml

from benchmarks.peers.services.onnx_session import OnnxSession


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class OnnxModel:
    """Answers with all outputs of the model."""

    def __init__(self) -> None:
        """Load the model."""
        self._session = OnnxSession()

    @bentoml.api
    async def predict(self, rows: list[list[float]]) -> dict[str, Any]:
        """Answer rows."""
        return {name: value.tolist() for name, value in self._session.run(rows).items()}
