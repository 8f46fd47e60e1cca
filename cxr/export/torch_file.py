"""A network as a file of torch.export, for any number of images."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.export import ExportedProgram

from cxr.errors import CxrError
from cxr.export.network import ExportedNetwork
from cxr.export.record import Precision

_TOLD = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")
"""What the exporter notes of each node, with paths of this machine."""


@dataclass(frozen=True, eq=False)
class TorchDraft:
    """An exported program, ready to be written with what is to be said of it."""

    program: ExportedProgram

    def write(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Write the file; equal programs and metadata give equal bytes.

        Args:
            path: the file.
            metadata: texts by key, which it keeps beside the network.
        """
        content = io.BytesIO()  # a file's name would be in it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(self.program, content, extra_files=dict(metadata))
        path.write_bytes(content.getbuffer())


def draft_torch(network: ExportedNetwork, precision: Precision) -> TorchDraft:
    """Bring a network to torch.export; with bf16 it is changed.

    Raises:
        CxrError: torch cannot export it.
    """
    network = network.to_bf16() if precision == "bf16" else network
    example = torch.zeros(2, network.size, network.size, dtype=torch.uint8)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(network, (example,), dynamic_shapes={"images": {0: torch.export.Dim("batch")}})
    except RuntimeError as error:  # as every error of torch's exporters
        raise CxrError(f"the network cannot be brought to torch.export: {str(error).splitlines()[0]}") from error
    for node in program.graph.nodes:
        for key in _TOLD:
            node.meta.pop(key, None)
    return TorchDraft(program)
