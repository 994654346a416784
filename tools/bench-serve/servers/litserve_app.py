"""How would LitServe serve the model? As its examples do: a picture comes in base64, and a process of its own classifies."""
import base64
import io
import json
import os

import litserve
import numpy
import onnxruntime
from PIL import Image


class Classifier(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, ["CPUExecutionProvider"])
        with open(os.environ["LABELS"]) as file:
            self.labels = json.load(file)

    def decode_request(self, request):
        if "pixels" in request:
            pixels = numpy.frombuffer(base64.b64decode(request["pixels"]), numpy.uint8)
        else:
            picture = Image.open(io.BytesIO(base64.b64decode(request["image"])))
            pixels = numpy.asarray(picture.convert("L").resize((28, 28)))
        return pixels.astype(numpy.float32).reshape(1, 1, 28, 28)

    def predict(self, pixels):
        return self.session.run(None, {"pixels": pixels})[0][0]

    def encode_response(self, probabilities):
        best = int(probabilities.argmax())
        return {"label": self.labels[best], "class": best, "confidence": float(probabilities[best]),
                "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(), accelerator="cpu", workers_per_device=1)
    port = int(os.environ["PORT"])
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning", access_log=False)
