"""The view of a radiograph: what codes, words and the patient's orientation say, in that order, and whether they agree.

A decubitus radiograph is frontal, whatever side the patient lies on; it may be PA or AP. An oblique one is neither
frontal nor lateral. Words of a bedside radiograph (portable, supine, "liegend") count as AP where no projection is named,
since the detector lies behind the patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from pydicom.dataset import Dataset

from cxr.ingest.read.attributes import IMAGE_TEXTS, ORDER_TEXTS, codes, text, values, words

Direction = Literal["PA", "AP", "FRONTAL", "LATERAL", "OBLIQUE"]
"""What an attribute can tell; FRONTAL is PA or AP."""

# CID 4010 of PS3.16 without the views that no chest is taken in: SNOMED CT, then SNOMED-RT as older files have it. R-10214 and
# R-10218 stood for PA and right anterior oblique before the standard corrected them. "Sagittal" is left out: it names a plane,
# in which the beam of a PA view lies too.
_CODES: dict[Direction, tuple[str, ...]] = {
    "PA": ("272479007", "R-40888", "R-10214"),
    "AP": ("399348003", "R-10206"),
    "FRONTAL": ("399033003", "R-10202"),
    "LATERAL": (
        "399067008", "399173006", "399198007", "399260004", "399352003",
        "R-102CD", "R-10236", "R-10232", "R-10224", "R-10228",
    ),
    "OBLIQUE": (
        "399182000", "399160007", "399312000", "399059000", "399038007", "399006002", "399356000", "399135007",
        "399184004", "399236003", "260427002", "260426006", "399099002", "399368009", "399132005", "399325008",
        "399004004", "399288005", "399225005",
        "R-102C1", "R-10204", "R-10208", "R-10216", "R-10210", "R-10212", "R-40985", "R-10218", "R-10220",
        "R-10238", "R-10234", "R-40783", "R-40782", "R-10230", "R-10226", "R-10252", "R-10254",
        "R-10246", "R-10248", "R-10250",
    ),
}  # fmt: skip
_DIRECTION_OF_CODE = {code: direction for direction, listed in _CODES.items() for code in listed}
_SNOMED = ("SCT", "SRT", "SNM3", "99SDM")

_WORDS: dict[Direction, tuple[str, ...]] = {
    "PA": ("PA", "POSTEROANTERIOR", "DORSOVENTRAL"),
    "AP": ("AP", "ANTEROPOSTERIOR", "VENTRODORSAL"),
    "FRONTAL": ("FRONTAL", "FRONT", "LORDOTIC", "LORDOTISCH"),
    "LATERAL": ("LATERAL", "LAT", "LL", "RL", "LLAT", "RLAT", "SEITLICH", "SEITLICHE", "SEITL", "PROFIL"),
    "OBLIQUE": (
        "OBLIQUE", "OBL", "SCHRAEG", "SCHRAEGE", "RAO", "LAO", "RPO", "LPO", "RLO", "LLO",
    ),
}  # fmt: skip
_DIRECTION_OF_WORD = {word: direction for direction, listed in _WORDS.items() for word in listed}
_DECUBITUS = {
    "DECUBITUS", "DECUB", "LLD", "RLD", "SEITENLAGE", "LINKSSEITENLAGE", "RECHTSSEITENLAGE", "SEITENLAGERUNG",
}  # fmt: skip
# not "port": in a description it is as often the catheter
_BEDSIDE = {
    "PORTABLE", "BEDSIDE", "MOBILE", "SUPINE", "LIEGEND", "LIEGENDE", "LIEGENDAUFNAHME", "LIEGEN",
    "BETT", "BETTAUFNAHME", "BETTLUNGE", "BETTTHORAX",
}  # fmt: skip
_SEVERAL_VIEWS = {"VIEWS", "EBENEN", "PROJECTIONS", "PROJEKTIONEN"}

_DOTTED = re.compile(r"(?<![0-9A-Z])([AP])[.\-]\s?([AP])(?![0-9A-Z])")  # p.a., P-A; not A/P: abdomen and pelvis
_SPELT_OUT = (
    (re.compile(r"\bPOSTER(?:O|IOR) ANTERIOR\b"), "PA"),
    (re.compile(r"\bANTER(?:O|IOR) POSTERIOR\b"), "AP"),
    (re.compile(r"\bDORSO VENTRAL\b"), "PA"),
    (re.compile(r"\bVENTRO DORSAL\b"), "AP"),
    (re.compile(r"\b(CHEST|THORAX)(PA|AP|LAT|LL)\b"), r"\1 \2"),
)
_ORIENTATION = re.compile(r"[APRLHF]{1,3}")


@dataclass(frozen=True)
class ViewFinding:
    """The view of a radiograph and how it is known.

    Args:
        view: one of `cxr.manifest.VIEWS`; a frontal view of unknown projection, and an oblique one, are "unknown".
        told_by: the attribute that told it, "descriptions" for free text, empty where nothing tells.
        codes: "view-contradiction", "view-unknown" (neither frontal nor lateral is known); see `cxr.ingest.outcome.CODES`.
    """

    view: str
    told_by: str = ""
    codes: tuple[str, ...] = ()


def parse_view(line: str | None) -> str:
    """A view of `cxr.manifest.VIEWS` from ViewPosition or a table's cell, in whatever case and with words around it."""
    return _view(_direction_of_text(line or ""))


def find_view(header: Dataset) -> ViewFinding:
    """The view that a header tells.

    The first of ViewCodeSequence, ViewPosition, PatientOrientation (PS3.3 C.7.6.1.1.1: frontal or lateral only) and the
    descriptions of the image counts; a later one may only make PA or AP of a frontal view. Where two of them exclude each
    other, that is flagged. The descriptions of the whole order are asked last, only for what nothing else tells: they name
    what was wanted, which is often not what was taken.

    Raises:
        Refused: an element's bytes do not fit its value representation.
    """
    told = list(_told_of_image(header))
    contradiction = any(_exclude(one, other) for (_, one), (_, other) in combinations(told, 2))
    if all(direction == "FRONTAL" for _, direction in told):
        ordered = (("descriptions", _direction_of_text(text(header, name))) for name in ORDER_TEXTS)
        told += [(by, direction) for by, direction in ordered if direction and not (told and _exclude("FRONTAL", direction))]
    flags = ("view-contradiction",) if contradiction else ()
    if not told:
        return ViewFinding("unknown", "", ("view-unknown",))
    by, direction = told[0]
    if direction == "FRONTAL":
        by, direction = next(((b, d) for b, d in told if d in ("PA", "AP")), (by, direction))
    return ViewFinding(_view(direction), by, (*flags, "view-unknown") if direction == "OBLIQUE" else flags)


def _told_of_image(header: Dataset) -> Iterable[tuple[str, Direction]]:
    """Each attribute that tells something of this image, the most trusted first."""
    coded = {_DIRECTION_OF_CODE.get(code) for scheme, code in codes(header, "ViewCodeSequence") if scheme in _SNOMED}
    found = [
        ("ViewCodeSequence", _only(direction for direction in coded if direction)),
        ("ViewPosition", _direction_of_text(text(header, "ViewPosition"))),
        ("PatientOrientation", _direction_of_orientation(values(header, "PatientOrientation"))),
        *(("descriptions", _direction_of_text(text(header, name))) for name in IMAGE_TEXTS),
    ]
    return ((by, direction) for by, direction in found if direction)


def _direction_of_text(line: str) -> Direction | None:
    """What the words of a text tell; nothing where they name several views, as the description of a study does."""
    spelt = " ".join(words(_DOTTED.sub(r" \1\2 ", line.upper())))
    for pattern, replacement in _SPELT_OUT:
        spelt = pattern.sub(replacement, spelt)
    listed = set(spelt.split())
    if listed & _SEVERAL_VIEWS:
        return None
    directions = {_DIRECTION_OF_WORD[word] for word in listed if word in _DIRECTION_OF_WORD}
    if listed & _DECUBITUS:
        directions = directions - {"LATERAL"} | {"FRONTAL"}
    if not directions and listed & _BEDSIDE:
        return "AP"
    return _only(directions)


def _direction_of_orientation(pair: tuple[str, ...]) -> Direction | None:
    """What the directions of rows and columns tell: left and right with head and foot are frontal, front and back lateral."""
    if len(pair) != 2 or not all(_ORIENTATION.fullmatch(part.upper()) for part in pair):
        return None
    axes = {"LR" if part[0].upper() in "LR" else "HF" if part[0].upper() in "HF" else "AP" for part in pair}
    if axes == {"LR", "HF"}:
        return "FRONTAL"
    return "LATERAL" if axes == {"AP", "HF"} else None


def _only(directions: Iterable[Direction]) -> Direction | None:
    """The one direction that is told; "frontal" beside PA or AP adds nothing to it."""
    left = set(directions)
    if left & {"PA", "AP"}:
        left.discard("FRONTAL")
    return left.pop() if len(left) == 1 else None


def _exclude(one: Direction, other: Direction) -> bool:
    return one != other and {one, other} not in ({"FRONTAL", "PA"}, {"FRONTAL", "AP"})


def _view(direction: Direction | None) -> str:
    return direction if direction in ("PA", "AP", "LATERAL") else "unknown"
