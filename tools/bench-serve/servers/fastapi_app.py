"""Which thirty lines would a user write? FastAPI, Pillow and ONNX Runtime in one process, without a queue."""
import io
import json
import os

import numpy
import onnxruntime
from fastapi import FastAPI, Request
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, ["CPUExecutionProvider"])
labels = json.load(open(os.environ["LABELS"]))
app = FastAPI()


def answer(pixels):
    probabilities = session.run(None, {"pixels": pixels.astype(numpy.float32).reshape(1, 1, 28, 28)})[0][0]
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return {"label": labels[best], "class": best, "confidence": confidence, "probabilities": probabilities.tolist()}


@app.post("/classify")
async def classify(request: Request):
    return answer(numpy.asarray(Image.open(io.BytesIO(await request.body())).convert("L").resize((28, 28))))


@app.post("/raw")
async def raw(request: Request):
    return answer(numpy.frombuffer(await request.body(), numpy.uint8))
