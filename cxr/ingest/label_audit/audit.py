"""The audit of the labels of one import, as figures: a pure function of the manifest and the table's cells."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.label_audit.bits import Table, count_bits, images_of, pack_codes, pack_flags
from cxr.ingest.label_audit.cells import Cells, count_cells
from cxr.ingest.label_audit.contradictions import Contradictions, find_contradictions
from cxr.ingest.label_audit.copies import Duplicates
from cxr.ingest.label_audit.left_out import LeftOut, account_left_out
from cxr.ingest.label_audit.policies import LabelAccount
from cxr.ingest.label_audit.subgroups import Subgroups, count_by_group
from cxr.ingest.label_audit.together import Counts, count_together
from cxr.ingest.table.rows import Agreement
from cxr.ingest.table.table import TableNotes
from cxr.labels.label_set import LabelSet
from cxr.labels.values import BLANK, UNKNOWN, VALUES, Codes
from cxr.manifest import Manifest


@dataclass(frozen=True)
class LabelAudit:
    """What there is to know of the labels of an import.

    Args:
        images, patients: in the manifest.
        label_set: the labels and their policies.
        accounts: a label each, in the order of the label set.
        together: int64 [labels, labels], images in which both are positive.
        contradictions: what breaks the hierarchy or an exclusion.
        subgroups: the labels by view, sex and age band.
        agreement: of the readers, label by label; empty where an image has one.
        duplicates: images that are there twice.
        implausible_ages: images whose age is negative or above 120 years, and so unknown.
        unknown_ages: images without an age, these among them.
        left_out: what of the table became no label.
    """

    images: int
    patients: int
    label_set: LabelSet
    accounts: tuple[LabelAccount, ...]
    together: Counts
    contradictions: Contradictions
    subgroups: Subgroups
    agreement: tuple[Agreement, ...]
    duplicates: Duplicates
    implausible_ages: int
    unknown_ages: int
    left_out: LeftOut

    @property
    def labelled(self) -> int:
        """Images of which the table says something."""
        return self.images - self.left_out.images_without_row

    @property
    def total(self) -> Cells:
        """The cells of all labels."""
        return Cells(*np.sum([astuple(account.cells) for account in self.accounts], axis=0).tolist())

    @property
    def has_labels(self) -> bool:
        """Whether the table says something of any image."""
        return self.labelled > 0


def audit_labels(
    manifest: Manifest,
    codes: Codes,
    labels: LabelSet,
    notes: TableNotes | None,
    duplicates: Duplicates,
    implausible_ages: int,
    *,
    published: bool = False,
) -> LabelAudit:
    """Audit the labels.

    Args:
        manifest: the images, labelled by these cells after the policy for blank ones.
        codes: int8 [images, labels], the cells as the table has them: 0 to 3 as in `cxr.labels.values.VALUES`, or `BLANK`;
            3 where the table has no row for the image.
        labels: the label set.
        notes: of the table; None where there is none.
        duplicates: of `find_duplicates`.
        implausible_ages: images whose age was out of range.
        published: whether rare entries of the table may be quoted; in a hospital's own table one may name a patient.

    Raises:
        DataError: the cells are not those that the manifest's labels were made of.
    """
    if manifest.label_names != labels.names:
        raise DataError(f"audit: the labels of the manifest are not those of {labels.name}")
    if codes.shape != (len(manifest), len(labels.names)):
        raise DataError(f"audit: {codes.shape[0]} rows of cells for {len(manifest)} images")
    frame, table = manifest.frame, pack_codes(codes)
    _check(frame, table, labels)
    return LabelAudit(
        images=len(manifest),
        patients=int(frame["patient_id"].nunique()),
        label_set=labels,
        accounts=tuple(LabelAccount(*pair) for pair in zip(labels.labels, count_cells(table), strict=True)),
        together=count_together(table),
        contradictions=find_contradictions(frame["image_id"], table, labels),
        subgroups=count_by_group(frame, table, labels),
        agreement=notes.agreement if notes else (),
        duplicates=duplicates,
        implausible_ages=implausible_ages,
        unknown_ages=int(frame["age_years"].isna().sum()),
        left_out=account_left_out(notes or TableNotes(), _unlabelled(table), published=published),
    )


def _check(frame: pd.DataFrame, table: Table, labels: LabelSet) -> None:
    """Refuse cells that the labels of the manifest were not made of: the audit would be one of something else."""
    for place, label in enumerate(labels.labels):
        found = frame[label.name].cat.codes.to_numpy()
        kept = np.stack([table.has(code)[place] for code in range(len(VALUES))])
        kept[label.blank_code] |= table.has(BLANK)[place]
        wrong = kept ^ pack_flags(found == np.arange(len(VALUES), dtype=np.int8)[:, None])
        if wrong.any():
            row = int(images_of(np.bitwise_or.reduce(wrong))[0])
            raise DataError(f"audit: row {row}: {label.name} is not what the table's cell amounts to")


def _unlabelled(table: Table) -> int:
    """Images of which the table says nothing."""
    return int(count_bits(np.bitwise_and.reduce(table.has(UNKNOWN))))
