"""How would MLServer serve the model? By a runtime of its own for the V2 protocol."""
import io
import json
import os

import numpy
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from PIL import Image


class Classifier(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, ["CPUExecutionProvider"])
        with open(os.environ["LABELS"]) as file:
            self.labels = json.load(file)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        image = payload.inputs[0]
        if image.datatype == "BYTES":
            picture = Image.open(io.BytesIO(Base64Codec.decode_input(image)[0]))
            pixels = numpy.asarray(picture.convert("L").resize((28, 28)))
        else:
            pixels = NumpyCodec.decode_input(image)
        probabilities = self.session.run(None, {"pixels": pixels.astype(numpy.float32).reshape(1, 1, 28, 28)})[0]
        label = self.labels[int(probabilities[0].argmax())]
        outputs = [NumpyCodec.encode_output("probabilities", probabilities), StringCodec.encode_output("label", [label])]
        return InferenceResponse(model_name=self.name, outputs=outputs)
