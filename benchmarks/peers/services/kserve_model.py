"""A server of KServe's SDK."""

import argparse
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import generate_uuid

from benchmarks.peers.services.onnx_session import OnnxSession


class OnnxModel(Model):
    """Answers with all outputs of the model, by KServe's protocol v1 and by the open inference protocol."""

    def load(self) -> bool:
        """Load the model."""
        self._session = OnnxSession()
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None) -> Any:  # noqa: ARG002  # the arguments are KServe's
        """Answer the rows of a request."""
        if not isinstance(payload, InferRequest):
            found = self._session.run(payload["instances"])
            columns = zip(*(value.tolist() for value in found.values()), strict=True)
            return {"predictions": [dict(zip(found, row, strict=True)) for row in columns]}
        outputs = []
        for name, value in self._session.run(payload.inputs[0].as_numpy()).items():
            output = InferOutput(name=name, shape=list(value.shape), datatype=from_np_dtype(value.dtype))
            output.set_data_from_numpy(value, binary_data=payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            response_id=payload.id or generate_uuid(),
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


if __name__ == "__main__":
    arguments, _ = argparse.ArgumentParser(parents=[model_server.parser]).parse_known_args()
    model = OnnxModel(arguments.model_name)
    model.load()
    ModelServer().start([model])
