"""A server of LitServe; its argument is the port."""

import sys
from typing import Any

import litserve

from benchmarks.peers.services.onnx_session import OnnxSession


class OnnxModel(litserve.LitAPI):
    """Answers with all outputs of the model."""

    def setup(self, device: str) -> None:  # noqa: ARG002  # the argument is LitServe's
        """Load the model."""
        self._session = OnnxSession()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Return the rows of a request."""
        return request["rows"]

    def predict(self, x: Any) -> dict[str, Any]:
        """Answer rows."""
        return self._session.run(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs as lists, for JSON."""
        return {name: value.tolist() for name, value in output.items()}


if __name__ == "__main__":
    litserve.LitServer(OnnxModel(), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
