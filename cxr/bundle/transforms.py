"""The transforms of a bundle: a DICOM file to the image that the network is shown, and its numbers to yes or no."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from cxr.bundle.stored import StoredFile
from cxr.errors import DataError
from cxr.ingest.outcome import FileOutcome, Refused
from cxr.ingest.read import canonical, normalise
from cxr.ingest.store import Preprocessing
from cxr.model.card import Preprocessing as Learned
from cxr.monai_gate import monai
from cxr.predict.read import File, read_picture

Data = Mapping[Hashable, Any]
_MONAI: Any = monai
"""MONAI finds its parts as it is imported, where no type checker sees them."""


class NotScoredError(DataError):
    """A file is not taken, so that there is nothing to score.

    Args:
        refused: why.
    """

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"not scored: {FileOutcome(1, '', (refused.code,), refused.detail).sentence}")
        self.refused = refused


class ReadRadiographd(_MONAI.transforms.MapTransform):  # type: ignore[misc]
    """Read a DICOM file by the reader of ingest, which is what the model learned from.

    What stands under a key becomes float32 [1, size, size], whole numbers from 0 to 255, as a MetaTensor; under the key's name
    and `_codes` go the codes of what was corrected and of what is odd, see `cxr.ingest.outcome.CODES`.

    Args:
        keys: of a path, of the bytes of a file, or of the same as an array uint8 [bytes].
        size, fit, normaliser, canonical: how the images were made that the model learned from; see
            `cxr.model.card.Preprocessing`.
        allow_missing_keys: as in every transform of MONAI.

    Raises:
        DataError: this version of cxr makes images in another way.
    """

    def __init__(
        self,
        keys: str | Sequence[str],
        size: int,
        fit: Literal["pad", "crop"],
        normaliser: int,
        canonical: int,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        learned = Learned(size=size, fit=fit, normaliser=normaliser, canonical=canonical)
        self._preprocessing = _here(learned)

    def __call__(self, data: Data) -> dict[Hashable, Any]:
        """Read what stands under the keys.

        Raises:
            NotScoredError: the file is not taken; says why.
            DataError: there is no file under the key.
        """
        result = dict(data)
        for key in self.key_iterator(result):
            try:
                picture = read_picture(_file(result[key]), self._preprocessing)
            except Refused as refused:
                raise NotScoredError(refused) from refused
            result[key] = _MONAI.data.MetaTensor(torch.from_numpy(picture.image)[None].float())
            result[f"{key}_codes"] = picture.origin.codes
        return result


class DecideFindingsd(_MONAI.transforms.MapTransform):  # type: ignore[misc]
    """Say yes or no to every label by the operating point that was frozen with the model.

    Under `decisions` goes a yes or no by the name of the label, None where the label has no such point. The probabilities stay
    as they are.

    Args:
        keys: of float64 [labels], calibrated probabilities.
        labels: names, in the order of the probabilities.
        thresholds: yes from here on; None for a label without operating point.
        allow_missing_keys: as in every transform of MONAI.

    Raises:
        DataError: there are not as many thresholds as labels.
    """

    def __init__(
        self,
        keys: str | Sequence[str],
        labels: Sequence[str],
        thresholds: Sequence[float | None],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(labels) != len(thresholds):
            raise DataError(f"{len(thresholds)} thresholds for {len(labels)} labels")
        self._thresholds = dict(zip(labels, thresholds, strict=True))

    def __call__(self, data: Data) -> dict[Hashable, Any]:
        """Decide on what stands under the keys.

        Raises:
            DataError: there are no probabilities, as of an image that was not read by `ReadRadiographd`.
        """
        result = dict(data)
        for key in self.key_iterator(result):
            values = torch.as_tensor(result[key])
            if values.shape != (len(self._thresholds),) or not ((values >= 0) & (values <= 1)).all():
                raise DataError("no probabilities: the network was shown something else than a canonical image")
            points = zip(values.tolist(), self._thresholds.items(), strict=True)
            result["decisions"] = {name: None if least is None else value >= least for value, (name, least) in points}
            result[key] = _MONAI.data.MetaTensor(values)  # MONAI Label asks for one
        return result


def _here(learned: Learned) -> Preprocessing:
    made = Preprocessing(learned.size, learned.fit, normalise.VERSION, canonical.VERSION)
    if difference := learned.difference(made):
        raise DataError(f"the model was trained on {difference}: install the version of cxr that configs/metadata.json names")
    return made


def _file(value: object) -> File:
    if isinstance(value, StoredFile):
        return value.content()
    if isinstance(value, str | Path):
        return Path(value)
    if isinstance(value, bytes):
        return value
    if isinstance(value, torch.Tensor | np.ndarray):
        array = np.asarray(value)
        if array.dtype == np.uint8 and array.ndim == 1:
            return array.tobytes()
    raise DataError(
        "no DICOM file: pixels alone do not tell the view, the body part or how they are to be shown; "
        "give a path, the bytes of the file, or these as an array uint8 [bytes]"
    )
