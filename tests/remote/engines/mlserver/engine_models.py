"""Two models for MLServer: one takes a tensor per field, the other a JSON text per row."""

from __future__ import annotations

import json

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Add(MLModel):
    """The sum of the tensors a and b."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        a, b = (NumpyCodec.decode_input(received) for received in payload.inputs)
        outputs = [NumpyCodec.encode_output("sum", a + b), NumpyCodec.encode_output("low", a)]
        return InferenceResponse(
            model_name=self.name, model_version=self.settings.version, outputs=outputs
        )


class Rows(MLModel):
    """Each row's number x, doubled."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = [json.loads(text) for text in StringCodec.decode_input(payload.inputs[0])]
        texts = [json.dumps({"score": 2 * row["x"]}) for row in rows]
        output = StringCodec.encode_output("output", texts)
        return InferenceResponse(model_name=self.name, outputs=[output])
