"""The contact sheet: for each kind of taken image a few thumbnails, spread evenly over the listing."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.audit.codes import files_by_code
from cxr.ingest.outcome import CODES, TAKEN
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest

SIDE = 96
"""Of a thumbnail, in pixels."""
THUMBNAILS = 8
_QUALITY = 88


@dataclass(frozen=True)
class Thumbnail:
    """A small picture.

    Args:
        number: of its file in the listing.
        picture: data URI of a JPEG.
    """

    number: int
    picture: str


@dataclass(frozen=True)
class Kind:
    """Taken images of one kind.

    Args:
        name: a code, or "accepted".
        meaning: in words.
        images: how many there are, at least 1.
        thumbnails: at most `THUMBNAILS` of them.
    """

    name: str
    meaning: str
    images: int
    thumbnails: tuple[Thumbnail, ...]


def contact_sheet(files: pd.DataFrame, manifest: Manifest, store: ImageStore) -> list[Kind]:
    """The kinds that occur: plainly accepted images, then those of each code.

    Args:
        files: files.csv; see `cxr.ingest.audit.counts.count`.
        manifest: says where each image lies.
        store: the images.

    Raises:
        DataError: a code has no meaning, or an image is missing from the manifest or the store.
    """
    taken = files.loc[files["outcome"].isin(TAKEN), ["number", "outcome", "codes", "image_id"]]
    taken = taken.sort_values("number", kind="stable")
    kinds = [("accepted", "taken as it is", (taken["outcome"] == "accepted").to_numpy(np.bool_))]
    kinds += [(code, CODES[code][1], having) for code, having in files_by_code(taken)]
    return [
        Kind(name, meaning, int(having.sum()), _thumbnails(taken.iloc[_spread(having)], manifest, store))
        for name, meaning, having in kinds
        if having.any()
    ]


def _spread(having: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Places of at most `THUMBNAILS` true entries, the first and the last among them."""
    places = np.flatnonzero(having)
    return places[np.unique(np.linspace(0, len(places) - 1, THUMBNAILS).round().astype(np.int64))]


def _thumbnails(chosen: pd.DataFrame, manifest: Manifest, store: ImageStore) -> tuple[Thumbnail, ...]:
    frame = manifest.frame.loc[manifest.frame["image_id"].isin(chosen["image_id"]), ["image_id", "shard", "row"]]
    places = frame.set_index("image_id").reindex(chosen["image_id"])
    if places["shard"].isna().any():
        raise DataError("files.csv: a taken file has no image in the manifest")
    images = store.gather(places["shard"].to_numpy(np.int64), places["row"].to_numpy(np.int64))
    return tuple(Thumbnail(int(number), _jpeg(image)) for number, image in zip(chosen["number"], images, strict=True))


def _jpeg(image: npt.NDArray[np.uint8 | np.uint16]) -> str:
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) if len(image) > SIDE else image
    if image.dtype == np.uint16:
        small = np.round(small / 257).astype(np.uint8)  # 65535 is white, as 255 is
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
