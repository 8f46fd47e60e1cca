"""What became of each file that ingest saw: an outcome, codes from one list, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

OutcomeName = Literal["accepted", "corrected", "flagged", "quarantined", "skipped", "duplicate"]
OUTCOMES: tuple[OutcomeName, ...] = get_args(OutcomeName)
TAKEN: tuple[OutcomeName, ...] = ("accepted", "corrected", "flagged")
"""The outcomes of files whose image is in the manifest."""

CODES: dict[str, tuple[OutcomeName, str]] = {
    # the container
    "no-preamble": ("corrected", "the file has no DICOM preamble; read from its first element"),
    "gzip": ("corrected", "the file is compressed with gzip; unpacked"),
    "syntax-mislabelled": ("corrected", "the file meta information names another encoding of elements than the file has"),
    "no-sequence-delimiter": ("corrected", "a sequence does not say where it ends; ended before the next element"),
    # the pixels
    "inverted": ("corrected", "low values mean white in the file; turned, so that high attenuation is bright"),
    "high-bit": ("corrected", "the value does not lie in the lowest bits of its word; shifted"),
    "negative-slope": ("corrected", "RescaleSlope is negative; applied as it stands"),
    "photometric-spelling": ("corrected", "PhotometricInterpretation is spelt in another case"),
    "rotated": ("corrected", "PatientOrientation says that the image is turned; turned upright"),
    "mirrored": ("corrected", "PatientOrientation says that left and right are exchanged; mirrored"),
    "not-square": ("corrected", "the pixels are not square; one side is stretched"),
    "padding": ("corrected", "the header names a padding value; those pixels are made black"),
    "read-again": ("flagged", "a worker process ended while it read this file; read again by itself, it was whole"),
    "polarity-contradiction": ("flagged", "PhotometricInterpretation and PresentationLUTShape contradict each other"),
    "window-unusable": ("flagged", "the window has no width, or no number; the whole range of the stored bits is shown"),
    "window-out-of-range": ("flagged", "the window shows next to nothing of the values; the whole range is shown instead"),
    "orientation-unclear": ("flagged", "PatientOrientation is not one of a frontal radiograph; the image is left as it is"),
    "collimation": ("flagged", "a wide border of the image is black or white, as of a collimator"),
    "low-contrast": ("flagged", "nearly all pixels have nearly the same grey value"),
    # the context
    "view-contradiction": ("flagged", "the attributes that tell the view contradict each other; the first of them counts"),
    "view-unknown": ("flagged", "no attribute tells the view; it may be frontal, oblique or lateral"),
    "body-part-unknown": ("flagged", "no attribute tells the body part"),
    "secondary-capture": ("flagged", "a Secondary Capture: what was done to it since it was acquired, nobody tells"),
    "age-implausible": ("flagged", "the age is negative or above 120 years; it is treated as unknown"),
    "not-labelled": ("flagged", "the label table has no row for the image; all its labels are unknown"),
    "row-shared": ("flagged", "another image has the same row of the label table; one of them may be mislabelled"),
    "instance-shared": ("flagged", "another image has the same SOPInstanceUID and other pixels"),
    "repeated": ("flagged", "the same pixels as an earlier image of the same patient; kept, for the data set lists both"),
    # not taken, since something is wrong
    "empty": ("quarantined", "the file is empty"),
    "unreadable": ("quarantined", "the file cannot be read as an image of its kind"),
    "folder-unreadable": ("quarantined", "a folder that cannot be listed; what is in it was not seen"),
    "too-large": ("quarantined", "the file, or what it unpacks to, is larger than any radiograph"),
    "truncated": ("quarantined", "the file ends inside an element"),
    "duplicate-element": ("quarantined", "an element of the header stands twice or out of order"),
    "too-deep": ("quarantined", "sequences are nested deeper than any radiograph's"),
    "reader-died": ("quarantined", "the process that reads it ended twice, as after a crash of a decoder"),
    "too-slow": ("quarantined", "reading takes longer than the limit for one file"),
    "too-much-memory": ("quarantined", "reading takes more memory than the limit for one file"),
    "archive-damaged": ("quarantined", "the archive, or this file inside it, is damaged or encrypted"),
    "archive-unsafe": ("quarantined", "the file's path inside the archive leads out of it"),
    "archive-bomb": ("quarantined", "the archive unpacks to far more than it holds, or is nested too deep"),
    "not-read": ("quarantined", "the file was listed, and could not be read when its turn came"),
    "missing": ("quarantined", "the DICOMDIR or the PACS lists a file that is not there"),
    "not-fetched": ("quarantined", "the PACS refused to give this file"),
    "no-identity": ("quarantined", "PatientID, StudyInstanceUID or SOPInstanceUID is missing"),
    "no-pixels": ("quarantined", "there is no pixel data"),
    "syntax-unsupported": ("quarantined", "no decoder is pinned for the transfer syntax"),
    "decode-failed": ("quarantined", "the pixel data cannot be decoded, or are not of the size the header says"),
    "bits-inconsistent": ("quarantined", "BitsAllocated, BitsStored, HighBit and the pixel values contradict each other"),
    "rescale-invalid": ("quarantined", "RescaleSlope is zero, or a rescale value is not a number"),
    "lut-invalid": ("quarantined", "a look-up table contradicts its descriptor"),
    "constant": ("quarantined", "all pixels have the same value"),
    "blank": ("quarantined", "there is next to no difference between the pixels, as without exposure"),
    "colour": ("quarantined", "the image is in colour, so it is no radiograph as acquired"),
    "for-processing": ("quarantined", "the image is For Processing, not For Presentation"),
    "multi-frame": ("quarantined", "the file holds more than one frame"),
    "burned-in": ("quarantined", "BurnedInAnnotation says that text is burned into the pixels"),
    # not taken, since out of scope
    "modality": ("skipped", "the modality is neither CR nor DX"),
    "not-an-image": ("skipped", "a DICOM object without a radiograph, such as a report or a presentation state"),
    "dicomdir": ("skipped", "a DICOMDIR; the files that it lists are taken by themselves"),
    "not-chest": ("skipped", "the body part examined is not the chest"),
    "lateral": ("skipped", "the view is lateral; frontal radiographs are taken"),
    "not-in-table": ("skipped", "the data set's table has no row for the file"),
    "row-without-file": ("skipped", "the table has a row for which no readable file was found"),
    "duplicate": ("duplicate", "the same pixels were taken from an earlier file of the same patient"),
    "duplicate-other-patient": ("duplicate", "the same pixels were taken from an earlier file of another patient"),
}
"""Every code of files.csv: the outcome it leads to, and what it means."""

PASSING = ("not-read", "reader-died", "too-slow", "too-much-memory", "missing", "not-fetched")
"""Codes of what may go well the next time: the next run reads such files again."""


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
        return outcome_of(self.codes)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        text = "; ".join(CODES[code][1] for code in self.codes) or "taken as it is"
        return f"{text} ({self.detail})" if self.detail else text


def outcome_of(codes: tuple[str, ...]) -> OutcomeName:
    """The outcome that codes lead to: what keeps a file out goes before what only marks it."""
    outcomes = {CODES[code][0] for code in codes}
    order: tuple[OutcomeName, ...] = ("skipped", "quarantined", "duplicate", "flagged", "corrected")
    return next((name for name in order if name in outcomes), "accepted")
