"""A manifest of the images that a label table lists, none of which was read."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import LabelSet
from cxr.manifest import COLUMNS, TEXT_COLUMNS, Manifest, labelled


def manifest_of_table(table: LabelTable, labels: LabelSet, names: Pseudonyms) -> Manifest:
    """The images of a table, with their labels and what the table tells of them, and without a place in a store.

    Where the table names no patient, each image is taken for a patient of its own; where it names no study, for a study.
    """
    images = table.images
    keys = images["key"].tolist()
    listed = [names.name("key", key) for key in keys]
    patients = [names.name("patient", text or key) for text, key in zip(images["patient"], keys, strict=True)]
    studies = [names.name("study", text or key) for text, key in zip(images["study"], keys, strict=True)]
    frame = pd.DataFrame(dict.fromkeys(TEXT_COLUMNS, ""), index=range(len(table))).assign(
        image_id=[hashlib.sha256(f"listed {name}".encode()).hexdigest()[:24] for name in listed],
        patient_id=patients,
        study_id=studies,
        source=names.source,
        source_name=keys if names.key is None else listed,
        decisions="{}",
        shard=np.int64(-1),
        row=np.int64(-1),
        height=np.int64(0),
        width=np.int64(0),
        view=images["view"].astype(str),
        sex=images["sex"].astype(str),
        age_years=images["age_years"],
    )
    return labelled(frame[list(COLUMNS)], labels.settle(table.codes), labels.names)
