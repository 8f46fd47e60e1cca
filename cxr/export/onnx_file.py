"""A network as an ONNX file: one file, with the weights in it, for any number of images."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from cxr.errors import CxrError
from cxr.export.int8 import to_int8
from cxr.export.network import ExportedNetwork
from cxr.export.record import Precision

OPSET = 20
_LARGEST = 2**31 - 2**20
"""Bytes of weights; a file of ONNX with its weights in it cannot be larger than 2 GiB."""


@dataclass(frozen=True, eq=False)
class OnnxDraft:
    """A model in ONNX, ready to be written with what is to be said of it."""

    model: onnx.ModelProto

    def write(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Write the file; equal models and metadata give equal bytes.

        Args:
            path: the file.
            metadata: texts by key, which it keeps beside the network.
        """
        onnx.helper.set_model_props(self.model, dict(metadata))
        path.write_bytes(self.model.SerializeToString(deterministic=True))


def draft_onnx(network: ExportedNetwork, precision: Precision) -> OnnxDraft:
    """Bring a network to ONNX.

    Raises:
        CxrError: the exporter of torch cannot, the network is too large, or it has nothing that `precision` is for.
    """
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    if weights > _LARGEST:
        raise CxrError(f"{weights / 2**30:.1f} GiB of weights are more than an ONNX file can hold; export with --format torch")
    model = _translate(network)
    _forget_where(model)
    if precision == "int8":
        to_int8(model)
    onnx.checker.check_model(model)
    return OnnxDraft(model)


def _translate(network: ExportedNetwork) -> onnx.ModelProto:
    example = torch.zeros(2, network.size, network.size, dtype=torch.uint8)
    try:
        with warnings.catch_warnings():  # of what the exporter itself calls
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=list(network.outputs),
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            )
    except RuntimeError as error:  # as every error of torch's exporters
        raise CxrError(f"the network cannot be brought to ONNX: {str(error).splitlines()[0]}") from error
    assert program is not None
    return program.model_proto


def _forget_where(model: onnx.ModelProto) -> None:
    """Take out in which line of which file each node was made: paths of this machine, and different on the next one."""
    graph = model.graph
    for named in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        named.ClearField("metadata_props")
        named.ClearField("doc_string")
