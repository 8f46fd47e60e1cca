"""What a reader gives: a radiograph as it left its file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8 | np.uint16]
"""[height, width], 0 black to the largest value of the type white, high attenuation bright."""


@dataclass(frozen=True)
class Radiograph:
    """A radiograph as it left its file. Identifiers and dates are the source's own: they go no further than ingest.

    Args:
        pixels: `Grey` at full resolution, upright, as read facing the patient.
        source_sha256: hexadecimal digest of the file's bytes.
        pixel_sha256: hexadecimal digest of the grey values and their shape.
        identifiers: patient, study, instance and accession as the header has them; empty for plain images.
        study_date: YYYYMMDD as the header has it, empty where there is none.
        view, sex, age_years, manufacturer: context; see `cxr.manifest.COLUMNS`.
        decisions: what was done to the file and its pixels, in words, by step.
        codes: of what was corrected and of what is odd; see `cxr.ingest.outcome.CODES`.
    """

    pixels: Grey
    source_sha256: str
    pixel_sha256: str
    identifiers: dict[str, str] = field(default_factory=dict)
    study_date: str = ""
    view: str = "unknown"
    sex: str = "unknown"
    age_years: float = float("nan")
    manufacturer: str = ""
    decisions: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


def pixel_digest(pixels: Grey) -> str:
    """SHA-256 of grey values and their shape."""
    digest = hashlib.sha256(f"{pixels.shape}{pixels.dtype}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
