"""The counts along the way, which must add up to the file: seen = taken + quarantined + skipped + duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.audit.codes import files_by_code
from cxr.ingest.outcome import CODES, OUTCOMES, TAKEN, OutcomeName
from cxr.manifest import Manifest

EXAMPLES = 5
_WEIGHT: tuple[OutcomeName, ...] = ("quarantined", "skipped", "duplicate", "flagged", "corrected", "accepted")


@dataclass(frozen=True)
class Reason:
    """How often one code stands in files.csv.

    Args:
        code: a key of `cxr.ingest.outcome.CODES`.
        of: what it is said of; a "table row" is a row of the label table without a file.
        count: rows of files.csv that have it, at least 1.
        examples: the first `EXAMPLES` of them: numbers of files in the listing, or of rows as a spreadsheet shows them.
    """

    code: str
    of: Literal["file", "table row"]
    count: int
    examples: tuple[int, ...]

    @property
    def outcome(self) -> OutcomeName:
        """The outcome that the code leads to by itself."""
        return CODES[self.code][0]

    @property
    def meaning(self) -> str:
        """The code in words."""
        return CODES[self.code][1]


@dataclass(frozen=True)
class AuditCounts:
    """An ingest in numbers.

    Args:
        seen: files of the listing.
        outcomes: files by outcome, for each of `OUTCOMES`.
        rows_without_file: rows of the label table for which no readable file was found.
        reasons: codes, what keeps a file out first, then the most frequent.
        images, studies, patients: in the manifest.

    Raises:
        DataError: the outcomes do not add up to the files seen, or the taken files to the images.
    """

    seen: int
    outcomes: Mapping[OutcomeName, int]
    rows_without_file: int
    reasons: tuple[Reason, ...]
    images: int
    studies: int
    patients: int

    def __post_init__(self) -> None:
        if sum(self.outcomes.values()) != self.seen:
            raise DataError(f"files.csv: {self.seen} files were seen, but {sum(self.outcomes.values())} have an outcome")
        if self.taken != self.images:
            raise DataError(f"files.csv: {self.taken} files were taken, but the manifest has {self.images} images")

    @property
    def taken(self) -> int:
        """Files whose image is in the manifest."""
        return sum(self.outcomes[name] for name in TAKEN)


def count(files: pd.DataFrame, manifest: Manifest, listed: int | None = None) -> AuditCounts:
    """Count what became of the files, and check that none is lost or counted twice.

    Args:
        files: files.csv, with the columns number (int, 0 for a row of the label table without a file), outcome, codes
            (space-separated), image_id, table_row (int).
        manifest: the images that were taken.
        listed: files in the listing of the source, where known; else the highest number is the last file.

    Raises:
        DataError: a number of the listing is missing or stands twice, an outcome or code is unknown, or the taken files
            are not the images of the manifest. Messages hold numbers of files only.
    """
    is_file = files["number"] > 0
    seen, rows = files[is_file], files[~is_file]
    _check_outcomes(files)
    _check_numbers(seen["number"], listed)
    _check_images(seen, manifest)
    outcomes = seen["outcome"].value_counts()
    reasons = _reasons(seen, "file") + _reasons(rows, "table row")
    return AuditCounts(
        seen=len(seen),
        outcomes={name: int(outcomes.get(name, 0)) for name in OUTCOMES},
        rows_without_file=len(rows),
        reasons=tuple(sorted(reasons, key=lambda reason: (_WEIGHT.index(reason.outcome), -reason.count, reason.code))),
        images=len(manifest),
        studies=manifest.frame["study_id"].nunique(),
        patients=manifest.frame["patient_id"].nunique(),
    )


def metrics(counts: AuditCounts) -> dict[str, float]:
    """The same numbers by the names they have in MLflow; a code that does not occur has none."""
    named = {"files/seen": counts.seen, "files/taken": counts.taken}
    named |= {f"files/{name}": number for name, number in counts.outcomes.items()}
    named |= {"files/rows_without_file": counts.rows_without_file}
    named |= {"images": counts.images, "studies": counts.studies, "patients": counts.patients}
    for reason in counts.reasons:
        name = f"code/{reason.code}"
        named[name] = named.get(name, 0) + reason.count
    return {name: float(number) for name, number in named.items()}


def _check_outcomes(files: pd.DataFrame) -> None:
    unknown = ~files["outcome"].isin(OUTCOMES)
    if unknown.any():
        raise DataError(f"files.csv: file {files['number'][unknown].iloc[0]} has no known outcome; {int(unknown.sum())} in all")
    if (files["number"] < 0).any():
        raise DataError("files.csv: a number is negative; files are numbered from 1, and 0 stands for a row without a file")
    taken = (files["number"] == 0) & files["outcome"].isin(TAKEN)
    if taken.any():
        raise DataError(f"files.csv: {int(taken.sum())} rows without a file are counted as taken")


def _check_numbers(numbers: pd.Series[int], listed: int | None) -> None:
    """Each number of the listing stands once: a file that was lost, or written twice, is named."""
    present = np.sort(numbers.to_numpy(np.int64))
    if (twice := np.flatnonzero(np.diff(present) == 0)).size:
        raise DataError(f"files.csv: file {present[twice[0]]} of the listing stands twice")
    last = int(present.max(initial=0)) if listed is None else listed
    gaps = np.flatnonzero(present != np.arange(1, len(present) + 1))
    if gaps.size or len(present) < last:
        missing = gaps[0] + 1 if gaps.size else len(present) + 1
        raise DataError(f"files.csv: file {missing} of the listing of {last} has no outcome; {last - len(present)} in all")
    if len(present) > last:
        raise DataError(f"files.csv: {len(present)} files have an outcome, but the listing has {last}")


def _check_images(seen: pd.DataFrame, manifest: Manifest) -> None:
    taken = seen[seen["outcome"].isin(TAKEN)]
    numbers = taken["number"].to_numpy(np.int64)
    places = pd.Index(manifest.frame["image_id"]).get_indexer(taken["image_id"])  # ten times as fast as isin on texts
    absent = places < 0
    if absent.any():
        number, total = numbers[absent][0], int(absent.sum())
        raise DataError(f"files.csv: file {number} was taken, but its image is not in the manifest; {total} in all")
    images = np.bincount(places, minlength=len(manifest))
    if (images > 1).any():
        number = numbers[images[places] > 1][-1]
        raise DataError(f"files.csv: file {number} was taken for an image that another file gave")


def _reasons(files: pd.DataFrame, of: Literal["file", "table row"]) -> list[Reason]:
    files = files.sort_values("number" if of == "file" else "table_row", kind="stable")
    numbers = files["number" if of == "file" else "table_row"].to_numpy(np.int64)
    chosen = [(code, numbers[having]) for code, having in files_by_code(files)]
    return [Reason(code, of, len(found), tuple(found[found > 0][:EXAMPLES].tolist())) for code, found in chosen]
