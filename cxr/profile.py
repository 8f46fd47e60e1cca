"""A manifest as MLflow shows a dataset: rows, patients, and what is known of each label."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from cxr.labels.values import VALUES
from cxr.manifest import Manifest
from cxr.stage import RunLog


def profile(manifest: Manifest) -> dict[str, Any]:
    """Counts of images and patients, and of the four values of each label."""
    counts = {
        name: dict(zip(VALUES, np.bincount(codes, minlength=len(VALUES)).tolist(), strict=True))
        for name, codes in zip(manifest.label_names, manifest.label_codes().T, strict=True)
    }
    return {"images": len(manifest), "patients": int(manifest.frame["patient_id"].nunique()), "labels": counts}


def content_digest(manifest: Manifest) -> str:
    """SHA-256 of which images these are and what their labels say: the same for the same data in every stage."""
    digest = hashlib.sha256(json.dumps(manifest.label_names).encode())
    digest.update("\n".join(manifest.frame["image_id"]).encode())
    digest.update(manifest.label_codes().tobytes())
    return digest.hexdigest()


def log_dataset(run: RunLog, name: str, context: str, manifest: Manifest) -> None:
    """Tell the tracked run which data it used.

    Args:
        run: the stage's run.
        name: what the data are called.
        context: what the run did with them, like "ingest" or "training".
        manifest: the data.
    """
    run.dataset(name, content_digest(manifest), context, profile(manifest))
