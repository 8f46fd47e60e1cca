"""Images that are there twice: the same pixels, or nearly the same picture, in this source and in others.

One picture under two patients is either under the wrong name, or on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.hamming import NearPairs
from cxr.ingest.alike import Elsewhere
from cxr.manifest import Manifest

Kind = Literal["same pixels", "near"]
COLUMNS = ("kind", "first", "second", "source", "distance", "other_patient")

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """Pairs of images that are there twice. Build it with `find_duplicates`.

    Args:
        compared: images of this source that have pixels to compare; one that only a table lists has none.
        sources: names of the other sources they were compared with.
        pairs: a row per pair; what may be a leak stands first. Of images with the same pixels each is paired with the first.

            * kind: "same pixels", or "near" for near perceptual hashes and other pixels
            * first: image_id in this source; second: image_id in `source`
            * source: empty for this source, else the name of the other one
            * distance: bits in which the perceptual hashes differ, 0 for the same pixels
            * other_patient: whether the two have different patient_ids, as images of two sources have
    """

    compared: int
    sources: tuple[str, ...]
    pairs: pd.DataFrame

    def __len__(self) -> int:
        return len(self.pairs)

    def count(self, kind: Kind | None = None, *, within: bool | None = None, other_patient: bool | None = None) -> int:
        """Pairs of a kind, within this source or across, and of different patients or the same; None for either."""
        chosen = np.ones(len(self.pairs), np.bool_)
        if kind is not None:
            chosen &= (self.pairs["kind"] == kind).to_numpy(np.bool_)
        if within is not None:
            chosen &= ((self.pairs["source"] == "") == within).to_numpy(np.bool_)
        if other_patient is not None:
            chosen &= (self.pairs["other_patient"] == other_patient).to_numpy(np.bool_)
        return int(chosen.sum())


def find_duplicates(manifest: Manifest, near: NearPairs | None = None, elsewhere: Sequence[Elsewhere] = ()) -> Duplicates:
    """The duplicates of a source's images, among themselves and in other sources.

    Args:
        manifest: of the source. An image that only a table lists has no pixels to compare.
        near: pairs of its images that show the same picture, see `cxr.ingest.alike`; none by default.
        elsewhere: what other sources have, too.
    """
    frame = manifest.frame
    parts = [*_within(frame, near)]
    for other in elsewhere:
        parts += _across(frame, other)
    compared = int(((frame["pixel_sha256"] != "") | (frame["perceptual_hash"] != "")).sum())
    return Duplicates(compared, tuple(other.source for other in elsewhere), _ordered(pd.concat(parts, ignore_index=True)))


def _within(frame: pd.DataFrame, near: NearPairs | None) -> Iterator[pd.DataFrame]:
    pixels = _Pixels.of(frame)
    yield _pairs("same pixels", frame, pixels.first[pixels.again], frame, pixels.again, "")
    if near is not None:
        other = pixels.first[near.first] != pixels.first[near.second]
        yield _pairs("near", frame, near.first[other], frame, near.second[other], "", near.distance[other])


def _across(frame: pd.DataFrame, elsewhere: Elsewhere) -> Iterator[pd.DataFrame]:
    other, near = elsewhere.manifest.frame, elsewhere.pairs
    own, theirs = _Pixels.of(frame), _Pixels.of(other)
    source = other["source"].to_numpy()
    # each image of either side with the first of the other side: as many pairs as images, not their product
    found = own.places_in(frame, theirs, other)
    first, second = np.flatnonzero(found >= 0), found[found >= 0]
    back = theirs.places_in(other, own, frame)
    more = np.flatnonzero((back >= 0) & (theirs.first != np.arange(len(back))))
    first, second = np.r_[first, back[more]], np.r_[second, more]
    yield _pairs("same pixels", frame, first, other, second, source[second])
    apart = found[near.first] != theirs.first[near.second]  # of other pixels
    first, second, distance = near.first[apart], near.second[apart], near.distance[apart]
    yield _pairs("near", frame, first, other, second, source[second], distance)


@dataclass(frozen=True)
class _Pixels:
    """Images brought together by their pixels.

    Args:
        first: int64 [images], the first image with the same pixels, itself where there is none before or no pixels are known.
        known: bool [images], whether there are pixels.
    """

    first: _Rows
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> _Pixels:
        texts = frame["pixel_sha256"]
        places, rows = pd.factorize(texts)[0], np.arange(len(frame))
        _, firsts = np.unique(places, return_index=True)
        known = (texts != "").to_numpy(np.bool_)
        return cls(np.where(known, firsts[places], rows) if len(frame) else rows, known)

    @property
    def again(self) -> _Rows:
        """int64: the images whose pixels an earlier one has."""
        return np.flatnonzero(self.first != np.arange(len(self.first)))

    @property
    def distinct(self) -> _Rows:
        """int64: the first image of each different pixels."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))

    def places_in(self, frame: pd.DataFrame, theirs: _Pixels, other: pd.DataFrame) -> _Rows:
        """int64 [images]: the first image of another source with the same pixels, -1 for none."""
        rows = theirs.distinct[theirs.known[theirs.distinct]]
        found = pd.Index(other["pixel_sha256"].iloc[rows]).get_indexer(pd.Index(frame["pixel_sha256"]))
        hit = (found >= 0) & self.known
        return np.where(hit, rows[np.where(hit, found, 0)] if len(rows) else -1, -1).astype(np.int64)


def _pairs(
    kind: Kind,
    a: pd.DataFrame,
    first: _Rows,
    b: pd.DataFrame,
    second: _Rows,
    source: str | npt.NDArray[np.object_],
    distance: int | _Rows = 0,
) -> pd.DataFrame:
    patients = a["patient_id"].iloc[first].to_numpy(), b["patient_id"].iloc[second].to_numpy()
    columns = {
        "kind": np.full(len(first), kind, object),
        "first": a["image_id"].iloc[first].to_numpy(object),
        "second": b["image_id"].iloc[second].to_numpy(object),
        "source": np.full(len(first), source, object),
        "distance": np.full(len(first), distance, np.int64),
        "other_patient": np.asarray(patients[0] != patients[1], np.bool_),
    }
    return pd.DataFrame(columns, columns=COLUMNS)


def _ordered(pairs: pd.DataFrame) -> pd.DataFrame:
    """What may be a leak first: another patient of this source, then another source, then the same patient."""
    within = pairs["source"] == ""
    weight = np.select([within & pairs["other_patient"], ~within], [0, 1], 2)
    near = pairs["kind"] == "near"
    ordered = pairs.assign(weight=weight, near=near).sort_values(["weight", "near", "distance", "source", "first", "second"])
    return ordered[list(COLUMNS)].reset_index(drop=True)
