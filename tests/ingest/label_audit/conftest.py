"""Label tables and manifests, made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from cxr.duplicates import across, near_duplicates
from cxr.ingest.alike import Elsewhere
from cxr.ingest.label_audit.audit import LabelAudit, audit_labels
from cxr.ingest.label_audit.copies import Duplicates, find_duplicates
from cxr.ingest.table.table import TableNotes
from cxr.labels.label_set import Label, LabelSet
from cxr.manifest import COLUMNS, Manifest, labelled


def _find(manifest: Manifest, others: Sequence[Manifest] = ()) -> Duplicates:
    """The duplicates by hashes alone."""
    texts = manifest.frame["perceptual_hash"]
    names = [str(next(iter(other.frame["source"]), "u")) for other in others]
    pairs = [across(texts, other.frame["perceptual_hash"]) for other in others]
    elsewhere = [Elsewhere(*found) for found in zip(names, others, pairs, strict=True)]
    return find_duplicates(manifest, near_duplicates(texts), elsewhere)


def _label_set(*labels: dict[str, Any] | str) -> LabelSet:
    return LabelSet(name="set", labels=tuple(Label(name=one) if isinstance(one, str) else Label(**one) for one in labels))


def _frame(count: int, source: str = "t", **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series([""] * count, dtype="str") for name in COLUMNS})
    numbers = [f"{source}:{index:04d}" for index in range(count)]
    frame["image_id"] = pd.Series([f"{number}i" for number in numbers], dtype="str")
    frame["patient_id"] = pd.Series([f"{number}p" for number in numbers], dtype="str")
    frame["study_id"] = frame["patient_id"]
    frame["source"], frame["decisions"], frame["view"], frame["sex"], frame["age_years"] = source, "{}", "PA", "F", 50.0
    for name in ("shard", "row", "height", "width"):
        frame[name] = np.zeros(count, np.int64)
    return frame.assign(**columns)


@pytest.fixture(scope="session")
def label_set() -> Callable[..., LabelSet]:
    """`label_set("Mass", {"name": "Nodule", "parent": "Mass"})`"""
    return _label_set


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., pd.DataFrame]:
    """`make_frame(3, "source", view=["PA", "AP", "PA"])`: the columns of a manifest, each image of its own patient."""
    return _frame


@pytest.fixture(scope="session")
def find() -> Callable[..., Duplicates]:
    """The duplicates of a manifest, by hashes alone: `find(manifest, others)`."""
    return _find


@pytest.fixture(scope="session")
def make_manifest() -> Callable[..., Manifest]:
    """A manifest without labels, as `make_frame`."""
    return lambda count, source="t", **columns: Manifest(_frame(count, source, **columns), ())


@pytest.fixture(scope="session")
def audit_of() -> Callable[..., LabelAudit]:
    """`audit_of([[1, 4], [0, 1]], label_set("Mass", "Edema"), notes, others, ages, view=...)`"""

    def make(
        codes: npt.ArrayLike,
        labels: LabelSet,
        notes: TableNotes | None = None,
        others: Sequence[Manifest] = (),
        ages: int = 0,
        published: bool = False,
        duplicates: Duplicates | None = None,
        **columns: object,
    ) -> LabelAudit:
        cells = np.asarray(codes, np.int8).reshape(-1, len(labels.names))
        manifest = labelled(_frame(len(cells), **columns), labels.settle(cells), labels.names)
        found = _find(manifest, others) if duplicates is None else duplicates
        return audit_labels(manifest, cells, labels, notes, found, ages, published=published)

    return make
