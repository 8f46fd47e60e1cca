"""A bundle's network as TorchScript, with the bundle's configuration inside, and nothing of the machine that wrote it."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cxr.bundle.network import BundleNetwork
from cxr.errors import CxrError

_DEBUG = ".debug_pkl"
"""End of the names of records that say which line of which file a step comes from: paths of this machine."""
_WRITTEN = (1980, 1, 1, 0, 0, 0)
"""The date that all records bear: the earliest that an archive can tell."""
_FEW = 2


def script_of(network: BundleNetwork) -> torch.jit.ScriptModule:
    """The network as TorchScript, for any number of images, with its methods `forward` and `scores`.

    Raises:
        CxrError: torch cannot trace it.
    """
    size = network.network.size
    example = torch.zeros(_FEW, 1, size, size)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of branches on the size of images, which is fixed
            inputs = {"forward": example, "scores": example}
            traced = torch.jit.trace_module(network, inputs, check_trace=False)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise CxrError(f"the network cannot be brought to TorchScript: {str(error).splitlines()[0]}") from error
    assert isinstance(traced, torch.jit.ScriptModule)
    return traced


def write_script(script: torch.jit.ScriptModule, path: Path, extra: Mapping[str, str]) -> None:
    """Write a TorchScript file.

    Args:
        script: the network.
        path: the file; its name is that of the folder inside it, where MONAI looks for the texts.
        extra: texts by name, kept in `extra/` as MONAI does.
    """
    full = path.with_name(f"full-{path.name}")
    torch.jit.save(script, full, _extra_files=dict(extra))
    try:
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
            for name in source.namelist():
                if not name.endswith(_DEBUG):
                    _, _, inside = name.partition("/")
                    target.writestr(zipfile.ZipInfo(f"{path.stem}/{inside}", _WRITTEN), source.read(name))
    finally:
        os.unlink(full)


class ScriptEngine:
    """The scores of a TorchScript file, to be compared with the model it was made of.

    Args:
        path: the file.
    """

    metadata: Mapping[str, str] = {}

    def __init__(self, path: Path) -> None:
        self._script: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]

    def run(self, images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], None]:
        """Scores float64 [images, labels] of uint8 [images, size, size], and no maps."""
        return self._call(self._script.scores, images), None

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """What the network gives, float64 [images, labels], of uint8 [images, size, size]."""
        return self._call(self._script, images)

    @staticmethod
    @torch.inference_mode()
    def _call(network: torch.nn.Module, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = network(torch.from_numpy(images)[:, None].float()).numpy()
        return found
