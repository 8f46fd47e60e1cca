"""A manifest as MLflow shows a dataset: rows, patients, and what is known of each label."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxr.labels import VALUES
from cxr.manifest import Manifest
from cxr.stage import RunLog


def profile(manifest: Manifest) -> dict[str, Any]:
    """Counts of images and patients, and of the four values of each label."""
    counts = {
        name: dict(zip(VALUES, np.bincount(codes, minlength=len(VALUES)).tolist(), strict=True))
        for name, codes in zip(manifest.label_names, manifest.label_codes().T, strict=True)
    }
    return {"images": len(manifest), "patients": int(manifest.frame["patient_id"].nunique()), "labels": counts}


def log_dataset(run: RunLog, name: str, digest: str, context: str, manifest: Manifest) -> None:
    """Tell the tracked run which data it used.

    Args:
        run: the stage's run.
        name: what the data are called.
        digest: of the manifest's file.
        context: what the run did with them, like "ingest" or "training".
        manifest: the data.
    """
    run.dataset(name, digest, context, profile(manifest))
