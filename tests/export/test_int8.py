from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from cxr.errors import CxrError
from cxr.export.exported import ExportedModel
from cxr.export.int8 import to_int8

IN, OUT = 48, 40
Floats = npt.NDArray[np.float32]


def _graph(nodes: list[onnx.NodeProto], constants: dict[str, Floats], shape: list[int | str]) -> onnx.ModelProto:
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    results = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [None] * len(shape)) for node in nodes]
    weights = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "g", [source], results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _run(model: onnx.ModelProto, x: Floats) -> list[Floats]:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


def _formula(x: Floats, weight: Floats) -> Floats:
    rows = np.abs(x).max(axis=-1, keepdims=True) / np.float32(127)
    columns = np.abs(weight).max(axis=0) / np.float32(63)
    return (np.rint(x / rows) @ np.rint(weight / columns)) * rows * columns


@pytest.fixture
def weight() -> Floats:
    return np.random.default_rng(0).normal(size=(IN, OUT)).astype(np.float32)


@pytest.fixture
def x() -> Floats:
    """Rows of very different size."""
    drawn = np.random.default_rng(1).normal(size=(2, 5, IN)) * 10.0 ** np.arange(-2, 3)[:, None]
    return drawn.astype(np.float32)


def test_a_linear_layer_computes_what_the_formula_says(weight: Floats, x: Floats) -> None:
    model = _graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, ["b", 5, IN])
    assert to_int8(model) == 1
    (found,) = _run(model, x)
    assert found == pytest.approx(_formula(x, weight), rel=1e-4, abs=1e-6)
    sizes = np.abs(x @ weight).max(axis=-1, keepdims=True)
    assert (np.abs(found - x @ weight) / sizes).max() < 0.03  # of every row, the smallest as well


def test_weights_have_seven_bits_so_that_no_processor_clips(weight: Floats) -> None:
    model = _graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, ["b", 5, IN])
    to_int8(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    (whole,) = (values for values in constants.values() if values.dtype == np.int8)
    assert np.abs(whole).max() == 63
    assert 2 * 255 * 63 < 2**15
    assert "w" not in constants


def test_a_row_does_not_depend_on_the_rows_beside_it(weight: Floats, x: Floats) -> None:
    model = _graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, ["b", 5, IN])
    to_int8(model)
    (together,), (alone,) = _run(model, x), _run(model, x[:1])
    assert (together[:1] == alone).all()
    changed = x.copy()
    changed[1] *= 1000
    assert (_run(model, changed)[0][0] == together[0]).all()


def test_rows_of_zeros_and_columns_of_zeros_stay_zero(weight: Floats, x: Floats) -> None:
    weight[:, 3], x[0, 2] = 0, 0
    model = _graph([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, ["b", 5, IN])
    to_int8(model)
    (found,) = _run(model, x)
    assert (found[0, 2] == 0).all()
    assert (found[..., 3] == 0).all()
    assert np.isfinite(found).all()


def test_a_layer_with_bias_and_turned_weights_is_changed_too(weight: Floats, x: Floats) -> None:
    bias = np.arange(OUT, dtype=np.float32)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    model = _graph([node], {"w": np.ascontiguousarray(weight.T), "b": bias}, ["b", IN])
    assert to_int8(model) == 1
    assert _run(model, x[0])[0] == pytest.approx(_formula(x[0], weight) + bias, rel=1e-4, abs=1e-5)


def test_layers_on_the_same_input_round_it_once_and_keep_their_own_weights(weight: Floats, x: Floats) -> None:
    nodes = [helper.make_node("MatMul", ["x", name], [f"y{name}"]) for name in ("v", "w")]
    model = _graph(nodes, {"v": -weight, "w": weight}, ["b", 5, IN])
    assert to_int8(model) == 2
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 1
    first, second = _run(model, x)
    assert first == pytest.approx(-second)


def test_products_of_activations_and_small_or_scaled_layers_are_left_alone(weight: Floats) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "small"], ["y"]),
        helper.make_node("MatMul", ["x", "x"], ["z"]),
        helper.make_node("Gemm", ["x", "w"], ["a"], alpha=2.0),
        helper.make_node("Gemm", ["x", "w"], ["t"], transA=1),
    ]
    before = _graph(nodes, {"small": weight[:, :8], "w": weight}, [IN, IN])
    with pytest.raises(CxrError, match="int8 would change nothing: the network has no large linear layers"):
        to_int8(before)


def test_an_image_has_the_same_score_whatever_is_in_its_batch(exported, images) -> None:
    file = ExportedModel(exported("onnx", "int8")[0])
    together = file.probabilities(images)
    alone = np.concatenate([file.probabilities(images[row : row + 1]) for row in range(len(images))])
    assert np.abs(together - alone).max() < 1e-5
