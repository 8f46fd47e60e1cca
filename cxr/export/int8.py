"""Linear layers in 8-bit whole numbers, in standard operators of ONNX.

For an input x, float [..., in], and a weight W, float [in, out], of a linear layer:

    s_r = max |x_r| / 127     a step for each row r of the input: each token of each image has its own
    t_c = max |W_c| / 63      a step for each column c of the weight
    y_rc = s_r t_c  sum_i  round(x_ri / s_r) round(W_ic / t_c)

The usual dynamic form has one step for the whole batch, so that an image's score depends on the images beside it, and one
bright token makes all others coarse. Inputs are kept as 128 + round(x / s), 8 bits without sign; weights have 7 bits: pairs
of products then fit into 16 bits, which processors without VNNI add them in and would clip.

Products of activations, as in attention, norms, convolutions and the classification head stay in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from cxr.errors import CxrError

_ROW, _COLUMN = 127, 63
_SMALLEST_SIDE = 32
"""Smaller matrices gain nothing."""
_AXES, _TINY, _SHARE, _ONE, _ZERO = (f"int8.{name}" for name in ("axes", "tiny", "share", "one", "zero"))


@dataclass
class _Rewriting:
    """A graph on its way.

    Args:
        weights: the constants of the graph by name.
        nodes: of the new graph.
        constants: that it needs beside those it has.
        rounded: by the name of an input, where it lies as whole numbers and where its steps lie.
        layers: number of linear layers that were changed.
    """

    weights: dict[str, onnx.TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    rounded: dict[str, tuple[str, str]] = field(default_factory=dict)
    layers: int = 0

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node with one output, whose name is returned."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: npt.NDArray[np.generic], name: str) -> str:
        """Add a constant, whose name is returned."""
        self.constants.append(numpy_helper.from_array(values, name))
        return name


def to_int8(model: onnx.ModelProto) -> int:
    """Change the linear layers of a model in place.

    Returns:
        How many there were.

    Raises:
        CxrError: none is large enough.
    """
    graph = model.graph
    work = _Rewriting({tensor.name: tensor for tensor in graph.initializer})
    _add_common(work)
    for node in graph.node:
        weight = _weight_of(node, work)
        if weight is None:
            work.nodes.append(node)
        else:
            _replace(node, weight, work)
    if not work.layers:
        raise CxrError("int8 would change nothing: the network has no large linear layers; export it in float32")
    _put_back(graph, work)
    return work.layers


def _add_common(work: _Rewriting) -> None:
    work.constant(np.array([-1], np.int64), _AXES)
    work.constant(np.array(1e-30, np.float32), _TINY)  # a row of zeros has no step
    work.constant(np.array(1 / _ROW, np.float32), _SHARE)
    work.constant(np.array(1, np.float32), _ONE)
    work.constant(np.array(128, np.uint8), _ZERO)


def _weight_of(node: onnx.NodeProto, work: _Rewriting) -> npt.NDArray[np.float32] | None:
    """The weight float32 [in, out] of a linear layer that is worth the change."""
    if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in work.weights:
        return None
    weight = numpy_helper.to_array(work.weights[node.input[1]])
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if options.get("transA") or {options.get("alpha", 1.0), options.get("beta", 1.0)} != {1.0}:
        return None
    if weight.ndim != 2 or min(weight.shape) < _SMALLEST_SIDE or weight.dtype != np.float32:
        return None
    return weight.T if options.get("transB") else weight


def _replace(node: onnx.NodeProto, weight: npt.NDArray[np.float32], work: _Rewriting) -> None:
    name = f"int8.{work.layers}"
    work.layers += 1
    steps = np.maximum(np.abs(weight).max(axis=0), np.float32(1e-30)) / np.float32(_COLUMN)
    whole = work.constant(np.rint(weight / steps).astype(np.int8), f"{name}.weight")
    rows, row_steps = _round_rows(node.input[0], work, name)
    bias = node.input[2] if len(node.input) > 2 else ""
    sums = work.add("MatMulInteger", [rows, whole, _ZERO], f"{name}.sums")
    work.add("Cast", [sums], f"{name}.float", to=onnx.TensorProto.FLOAT)
    work.add("Mul", [f"{name}.float", work.constant(steps, f"{name}.steps")], f"{name}.columns")
    scaled = work.add("Mul", [f"{name}.columns", row_steps], f"{name}.rows" if bias else node.output[0])
    if bias:
        work.add("Add", [scaled, bias], node.output[0])


def _round_rows(source: str, work: _Rewriting, name: str) -> tuple[str, str]:
    """Names of an input in whole numbers and of its steps; several layers may share them."""
    if source not in work.rounded:
        size = work.add("Abs", [source], f"{name}.abs")
        largest = work.add("ReduceMax", [size, _AXES], f"{name}.largest", keepdims=1)
        steps = work.add("Mul", [work.add("Max", [largest, _TINY], f"{name}.positive"), _SHARE], f"{name}.row_steps")
        relative = work.add("Div", [source, steps], f"{name}.relative")
        work.rounded[source] = work.add("QuantizeLinear", [relative, _ONE, _ZERO], f"{name}.whole"), steps
    return work.rounded[source]


def _put_back(graph: onnx.GraphProto, work: _Rewriting) -> None:
    used = {name for node in work.nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(work.nodes)
    graph.initializer.extend([*kept, *work.constants])
