"""An export of two networks that need no training: both tell bright from dark."""

import onnx
from onnx import TensorProto, helper
from recognising import FLOW, FUSION, RGB

from hmdb_kedro.inference import write_export
from hmdb_kedro.inference.exported import Exported


def tiny_export(folder):
    """Write an export to `folder`/export, and return its place."""
    folder.mkdir(parents=True, exist_ok=True)
    write_export(tiny_networks(folder), folder / "export")
    return folder / "export"


def tiny_networks(folder):
    """Write the networks of an export to a folder, and return what is exported."""
    files = {"spatial": (32, 32, 3), "temporal": (3, 32, 32, 2)}
    for name, shape in files.items():
        write_network(folder / f"{name}_made.onnx", shape)
    streams = {
        "spatial": (folder / "spatial_made.onnx", RGB),
        "temporal": (folder / "temporal_made.onnx", FLOW),
    }
    return Exported(streams, FUSION)


def write_network(file, shape):
    """Write a softmax over the mean of the inputs and its negative."""
    axes = list(range(1, len(shape) + 1))
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Neg", ["mean"], ["minus"]),
        helper.make_node("Unsqueeze", ["mean", "one"], ["a"]),
        helper.make_node("Unsqueeze", ["minus", "one"], ["b"]),
        helper.make_node("Concat", ["b", "a"], ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor("one", TensorProto.INT64, [1], [1])],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)
