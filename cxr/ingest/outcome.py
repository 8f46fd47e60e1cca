"""What became of each file that ingest saw: an outcome, codes from one list, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OutcomeName = Literal["accepted", "flagged", "quarantined", "skipped", "duplicate"]

CODES: dict[str, tuple[OutcomeName, str]] = {
    "polarity-contradiction": ("flagged", "PhotometricInterpretation and PresentationLUTShape contradict each other"),
    "age-implausible": ("flagged", "the age is negative or above 120 years; it is treated as unknown"),
    "not-labelled": ("flagged", "the label table has no row for the image; all its labels are unknown"),
    "repeated": ("flagged", "the same pixels as an earlier image of the same patient; kept, for the data set lists both"),
    "empty": ("quarantined", "the file is empty"),
    "unreadable": ("quarantined", "the file cannot be read as an image of its kind"),
    "no-identity": ("quarantined", "PatientID, StudyInstanceUID or SOPInstanceUID is missing"),
    "no-pixels": ("quarantined", "there is no pixel data"),
    "syntax-unsupported": ("quarantined", "no decoder is pinned for the transfer syntax"),
    "decode-failed": ("quarantined", "the pixel data cannot be decoded, or are not of the size the header says"),
    "bits-inconsistent": ("quarantined", "BitsAllocated, BitsStored and HighBit contradict each other"),
    "rescale-invalid": ("quarantined", "RescaleSlope is zero, or a rescale value is not a number"),
    "lut-invalid": ("quarantined", "a look-up table is shorter than its descriptor says"),
    "constant": ("quarantined", "all pixels have the same value"),
    "colour": ("quarantined", "the image is in colour, so it is no radiograph as acquired"),
    "for-processing": ("quarantined", "the image is For Processing, not For Presentation"),
    "multi-frame": ("quarantined", "the file holds more than one frame"),
    "modality": ("skipped", "the modality is neither CR nor DX"),
    "not-chest": ("skipped", "the body part examined is not the chest"),
    "lateral": ("skipped", "the view is lateral; frontal radiographs are taken"),
    "not-in-table": ("skipped", "the data set's table has no row for the file"),
    "row-without-file": ("skipped", "the table has a row for which no readable file was found"),
    "duplicate": ("duplicate", "the same pixels were taken from an earlier file of the same patient"),
    "duplicate-other-patient": ("duplicate", "the same pixels were taken from an earlier file of another patient"),
}
"""Every code of files.csv: the outcome it leads to, and what it means."""


class Refused(Exception):  # noqa: N818 (no error of the program: a file is not taken)
    """A file is not taken, for the reason that `code` stands for; `detail` names no patient.

    Args:
        code: a key of `CODES` whose outcome is quarantined or skipped.
        detail: the values that led to it.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class FileOutcome:
    """One row of files.csv.

    Args:
        number: position of the file in the sorted listing of the source, from 1; 0 for a table row without file.
        file: its path inside the source where that is public, else a pseudonym.
        codes: keys of `CODES`; none for a plainly accepted file.
        detail: the values that led to the codes.
        image_id: of the canonical image, empty where there is none.
        table_row: the row of the label table, as a spreadsheet shows it; 0 where there is none.
    """

    number: int
    file: str
    codes: tuple[str, ...] = ()
    detail: str = ""
    image_id: str = ""
    table_row: int = 0

    @property
    def outcome(self) -> OutcomeName:
        """The outcome that the codes lead to."""
        outcomes = [CODES[code][0] for code in self.codes]
        order: tuple[OutcomeName, ...] = ("skipped", "quarantined", "duplicate", "flagged")
        return next((name for name in order if name in outcomes), "accepted")

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        text = "; ".join(CODES[code][1] for code in self.codes) or "taken as it is"
        return f"{text} ({self.detail})" if self.detail else text
