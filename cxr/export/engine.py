"""What runs the network of an exported file: ONNX Runtime without torch, or torch."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError
from cxr.export.record import KEY
from cxr.extra import require
from cxr.model.card import KEY as CARD_KEY

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]
Maps = npt.NDArray[np.float32]


class Engine(Protocol):
    """A network that is ready to run."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Texts by key that the file keeps beside the network."""

    def run(self, images: Images) -> tuple[Scores, Maps | None]:
        """Scores float64 [images, labels] and maps float32 [images, labels, side, side] of uint8 [images, size, size]."""


def open_engine(path: Path, threads: int | None = None) -> Engine:
    """The engine that a file needs.

    Args:
        path: an exported file.
        threads: for ONNX Runtime; None for as many as there are cores. torch has its own for the whole process.

    Raises:
        DataError: the file cannot be read, or is none of the two formats.
        CxrError: what runs it is not installed.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    return _TorchEngine(path) if zipfile.is_zipfile(path) else _OnnxEngine(path, threads)


class _OnnxEngine:
    def __init__(self, path: Path, threads: int | None) -> None:
        require("export", "onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; what it warns of nobody here can mend
        options.intra_op_num_threads = threads or 0
        failures = onnxruntime.capi.onnxruntime_pybind11_state
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except (
            failures.InvalidProtobuf,
            failures.InvalidGraph,
            failures.InvalidArgument,
            failures.NotImplemented,
            failures.Fail,
        ) as error:
            raise DataError(f"{path}: no exported model that can be run: {str(error).splitlines()[0]}") from error
        self._outputs = [output.name for output in self._session.get_outputs()]

    @property
    def metadata(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found

    def run(self, images: Images) -> tuple[Scores, Maps | None]:
        scores, *maps = self._session.run(self._outputs, {"images": images})
        return scores, maps[0] if maps else None


class _TorchEngine:
    def __init__(self, path: Path) -> None:
        import torch

        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith("/archive_format") for name in archive.namelist()):
                raise DataError(f"{path}: an archive, but not of torch.export")
        texts = {CARD_KEY: "", KEY: ""}  # filled by the call
        try:
            with path.open("rb") as file:  # by its name torch would take it for one of an old format
                self._network = torch.export.load(file, extra_files=texts).module()
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            raise DataError(f"{path}: no exported model that can be run: {str(error).splitlines()[0]}") from error
        self._texts = {key: text for key, text in texts.items() if text}

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._texts

    def run(self, images: Images) -> tuple[Scores, Maps | None]:
        import torch

        with torch.inference_mode():
            scores, *maps = self._network(torch.from_numpy(images))
        return scores.numpy(), maps[0].numpy() if maps else None
