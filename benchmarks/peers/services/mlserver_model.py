"""A runtime for MLServer; the model's settings name it."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.services.onnx_session import OnnxSession


class OnnxModel(MLModel):
    """Answers with all outputs of the model."""

    async def load(self) -> bool:
        """Load the model."""
        self._session = OnnxSession()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer the rows of the first input."""
        found = self._session.run(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [NumpyCodec.encode_output(name, value) for name, value in found.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)
