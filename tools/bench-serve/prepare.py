"""Does ONNX Runtime compute what kana computes?

Writes kana's model as ONNX and the bodies of all requests, then classifies the samples by ONNX Runtime and compares the
probabilities with those of `kana predict`. Nothing is measured where they differ. The normalisations are folded into the
convolutions, as kana's engine does: otherwise the others would compute them for each image and seem slower.

    prepare.py MODEL SAMPLES PREDICTIONS OUT

MODEL is a model's folder, SAMPLES a folder of PNGs, PREDICTIONS what `kana predict --json` said of them. Prints one JSON
object: the samples' `labels`, the greatest `difference` of a probability, and `session_ms`, what one image takes in ONNX
Runtime by itself.
"""
import base64
import json
import pathlib
import sys
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import load_file

# Added to a variance: NORM_EPSILON of crates/kana-engine.
NORM_EPSILON = 1e-5
# Another order of summation changes a probability by about 1e-6, a wrong weight by far more than this.
TOLERANCE = 1e-4
# Classifications whose median is the time of one.
TIMED = 500


class Graph:
    """The nodes and weights of a network in the order in which they are added; each takes what the one before gives."""

    def __init__(self):
        self.nodes, self.weights, self.last = [], [], "pixels"

    def add(self, kind, *weights, **attributes):
        name = f"{kind.lower()}{len(self.nodes)}"
        names = [f"{name}.{number}" for number in range(len(weights))]
        self.weights += [numpy_helper.from_array(w.astype(numpy.float32), n) for w, n in zip(weights, names)]
        self.nodes.append(helper.make_node(kind, [self.last, *names], [name], name, **attributes))
        self.last = name

    def model(self, shape, classes):
        self.nodes[-1].output[0] = "probabilities"
        pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", *shape])
        answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])
        graph = helper.make_graph(self.nodes, "kana", [pixels], [answer], self.weights)
        # Versions that are old enough for each ONNX Runtime that any of the services brings.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def folded(tensors, name, scale, shift):
    """A convolution's weights and bias with the affine map `scale * x + shift` before it folded into them."""
    weight = tensors[f"{name}.weight"].astype(numpy.float64)
    bias = tensors[f"{name}.bias"] + (weight * shift[:, None, None]).sum(axis=(1, 2, 3))
    return weight * scale[:, None, None], bias


def norm(tensors, name):
    scale = tensors[f"{name}.gamma"] / numpy.sqrt(tensors[f"{name}.variance"].astype(numpy.float64) + NORM_EPSILON)
    return scale, tensors[f"{name}.beta"] - tensors[f"{name}.mean"] * scale


def export(folder):
    """The network kana-cnn: four convolutions of 3×3 without padding, two of them pooled, and two dense layers.

    It takes bytes as floats. Returns the model and its labels.
    """
    card = json.loads((folder / "card.json").read_text())
    if card["architecture"]["family"] != "kana-cnn" or len(card["members"]) != 1:
        raise SystemExit(f"{folder}: expected one member of the family kana-cnn")
    tensors = load_file(folder / card["members"][0]["file"])
    shape = card["input"]["shape"]
    deviation = numpy.array(card["input"]["deviation"], numpy.float64)
    affine = 1 / (255 * deviation), -numpy.array(card["input"]["mean"], numpy.float64) / deviation
    graph = Graph()
    for number in range(1, 5):
        graph.add("Conv", *folded(tensors, f"conv{number}", *affine), kernel_shape=[3, 3])
        graph.add("Relu")
        if number in (2, 3):
            graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        if number < 4:
            affine = norm(tensors, f"norm{number}")
    graph.add("Flatten")
    graph.add("Gemm", tensors["dense1.weight"], tensors["dense1.bias"], transB=1)
    graph.add("Relu")
    graph.add("Gemm", tensors["dense2.weight"], tensors["dense2.bias"], transB=1)
    graph.add("Softmax", axis=1)
    return graph.model([shape["channels"], shape["height"], shape["width"]], len(card["labels"])), card["labels"]


def write_bodies(number, png, pixels, out):
    """One sample in the form that each service takes."""
    height, width = pixels.shape

    def v2(**tensor):
        return json.dumps({"inputs": [{"name": "image", **tensor}]}).encode()

    text = base64.b64encode(png).decode()
    bodies = {
        "png": png,
        "pgm": f"P5\n{width} {height}\n255\n".encode() + pixels.tobytes(),
        "raw": pixels.tobytes(),
        "litserve-png.json": json.dumps({"image": text}).encode(),
        "litserve-raw.json": json.dumps({"pixels": base64.b64encode(pixels.tobytes()).decode()}).encode(),
        "v2-png.json": v2(shape=[1, 1], datatype="BYTES", parameters={"content_type": "base64"}, data=[text]),
        "v2-raw.json": v2(shape=[1, 1, height, width], datatype="UINT8", data=pixels.ravel().tolist()),
    }
    for kind, body in bodies.items():
        (out / f"{number}.{kind}").write_bytes(body)


def main():
    folder, samples, predictions, out = map(pathlib.Path, sys.argv[1:])
    model, labels = export(folder)
    (out / "labels.json").write_text(json.dumps(labels))
    onnx.save(model, out / "kana.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(out / "kana.onnx", options, ["CPUExecutionProvider"])
    difference, image, answers = 0, None, []
    for number, line in enumerate(predictions.read_text().splitlines()):
        expected = json.loads(line)
        png = (samples / pathlib.Path(expected["file"]).name).read_bytes()
        pixels = numpy.asarray(Image.open(samples / pathlib.Path(expected["file"]).name).convert("L"))
        image = pixels.astype(numpy.float32)[None, None]
        found = session.run(None, {"pixels": image})[0][0]
        difference = max(difference, float(abs(found - expected["probabilities"]).max()))
        write_bodies(number, png, pixels, out)
        answers.append(expected["label"])
    if not difference <= TOLERANCE or image is None:
        raise SystemExit(f"ONNX Runtime and kana predict differ by {difference}: nothing is measured")
    times = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        session.run(None, {"pixels": image})
        times.append(time.perf_counter() - begun)
    session_ms = round(sorted(times)[TIMED // 2] * 1e3, 4)
    print(json.dumps({"labels": answers, "difference": difference, "session_ms": session_ms}))


main()
