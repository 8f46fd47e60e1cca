"""A hospital's folder with an identifier in every place that one can stand in, in files of every fate; and a search for them.

Files are written byte by byte, since a library would correct what must be wrong in them. Every identifier stands in one
place, or in one kind of place, and is a text that nothing else is: who finds it knows where it came from.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
import pyarrow.parquet as pq
from pydicom import uid
from pydicom.datadict import dictionary_VR, tag_for_keyword

Kind = Literal["name", "number", "uid", "date", "study date", "time", "moment"]
PLANTED: dict[str, Identifier] = {}
"""Every identifier, by its place."""


@dataclass(frozen=True)
class Identifier:
    """One identifier.

    Args:
        text: as it is written where it is planted.
        kind: what it looks like.
    """

    text: str
    kind: Kind

    def spellings(self) -> set[str]:
        """The text, and how a program might write it instead."""
        if self.kind in ("date", "study date"):
            day = date.fromisoformat(self.text)
            formats = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%Y:%m:%d")
            return {day.strftime(form) for form in formats}
        if self.kind == "moment":
            when = datetime.fromtimestamp(int(self.text), UTC)
            return {self.text, when.strftime("%Y%m%d"), when.strftime("%Y-%m-%d")}
        if self.kind == "time":
            return {self.text, f"{self.text[:2]}:{self.text[2:4]}:{self.text[4:]}"}
        return {self.text, self.text.upper(), self.text.lower()}


def plant(place: str, kind: Kind = "name") -> str:
    """The identifier of a place, as DICOM writes it."""
    if place not in PLANTED:
        number = int.from_bytes(hashlib.sha256(place.encode()).digest()[:12], "big")
        PLANTED[place] = Identifier(_text(number, kind), kind)
    text = PLANTED[place].text
    return text.replace("-", "") if kind in ("date", "study date") else text


def _text(number: int, kind: Kind) -> str:
    digits = f"{number:029d}"
    match kind:
        case "name":  # consonants alone are no word of any rule
            return "Q" + "".join("bcdfghjklmnpqrstvwxz"[number // 20**place % 20] for place in range(8))
        case "number":
            return "7" + digits[-9:]
        case "uid":
            return f"1.2.276.0.7.{1 + number % 9}{digits[:12]}"
        case "date":
            return (date(1930, 1, 1) + timedelta(number % 9000)).isoformat()
        case "study date":  # what it is shifted to is none of the other dates
            return (date(1995, 1, 1) + timedelta(number % 7000)).isoformat()
        case "moment":
            return str(1_420_000_000 + number % 100_000_000)
        case "time":
            return f"{number % 24:02d}{number // 24 % 60:02d}{number // 1440 % 60:02d}.{digits[-6:]}"


# elements


def element(tag: int, representation: str, value: bytes) -> bytes:
    """An element of explicit VR little endian."""
    value += (b"\0" if representation in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    long = representation in ("OB", "OW", "SQ", "UN", "UT", "UC", "UR")
    form = "<HH2s2xI" if long else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, representation.encode(), len(value)) + value


Elements = Mapping[int, tuple[str, bytes]]


def elements(content: Elements) -> bytes:
    return b"".join(element(tag, *content[tag]) for tag in sorted(content))


def sequence(*items: bytes) -> tuple[str, bytes]:
    return "SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)


Value = str | int | tuple[str, bytes]
"""Of an attribute, in the representation that the standard has for it or in another."""


def attribute(keyword: str, value: Value) -> dict[int, tuple[str, bytes]]:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    if isinstance(value, tuple):
        return {tag: value}
    packed = struct.pack("<H", value) if isinstance(value, int) else value.encode()
    return {tag: (dictionary_VR(tag).split()[0], packed)}


def attributes(**values: Value) -> dict[int, tuple[str, bytes]]:
    return {tag: pair for keyword, value in values.items() for tag, pair in attribute(keyword, value).items()}


_NAMES = (
    "PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson", "PatientAddress",
    "PatientTelephoneNumbers", "EthnicGroup", "Occupation", "PatientReligiousPreference", "MilitaryRank", "RegionOfResidence",
    "PatientComments", "AdditionalPatientHistory", "MedicalAlerts", "PatientInsurancePlanCodeSequence", "IssuerOfPatientID",
    "ReferringPhysicianName", "ReferringPhysicianAddress", "PerformingPhysicianName", "NameOfPhysiciansReadingStudy",
    "PhysiciansOfRecord", "RequestingPhysician", "OperatorsName", "InstitutionName", "InstitutionAddress",
    "InstitutionalDepartmentName", "StationName", "ManufacturerModelName", "SoftwareVersions", "StudyDescription",
    "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription", "RequestedProcedureDescription",
    "AcquisitionDeviceProcessingDescription", "ImageComments", "StudyComments", "DerivationDescription", "Manufacturer",
    "WindowCenterWidthExplanation", "PatientTransportArrangements", "ClinicalTrialSubjectID", "PersonName", "TextValue",
)  # fmt: skip
_NUMBERS = (
    "OtherPatientIDs", "MedicalRecordLocator", "StudyID", "DeviceSerialNumber", "DetectorID", "PlateID", "AdmissionID",
    "PlacerOrderNumberImagingServiceRequest", "PerformedProcedureStepID", "SeriesNumber", "InstanceNumber",
)  # fmt: skip
_UIDS = ("SeriesInstanceUID", "FrameOfReferenceUID", "DeviceUID", "IrradiationEventUID", "SynchronizationFrameOfReferenceUID")
_DATES = (
    "PatientBirthDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AdmittingDate", "LastMenstrualDate",
    "DateOfLastCalibration", "AcquisitionDateTime",
)  # fmt: skip
_OWN: tuple[tuple[str, Kind], ...] = (
    ("PatientID", "number"), ("AccessionNumber", "number"), ("StudyInstanceUID", "uid"), ("SOPInstanceUID", "uid"),
    ("StudyDate", "study date"),
)  # fmt: skip
_TIMES = ("PatientBirthTime", "StudyTime", "AcquisitionTime")


@cache
def common() -> dict[int, tuple[str, bytes]]:
    """What stands in every file and decides nothing."""
    header: dict[int, tuple[str, bytes]] = {}
    for kind, keywords in (("name", _NAMES), ("number", _NUMBERS), ("uid", _UIDS), ("date", _DATES), ("time", _TIMES)):
        for keyword in keywords:
            if not keyword.endswith("Sequence"):
                header |= attribute(keyword, plant(keyword, kind))
    header |= {
        0x00081111: sequence(elements(attributes(ReferencedSOPInstanceUID=plant("a referenced study", "uid")))),
        0x00400275: sequence(_nested(plant("three sequences deep"))),
        0x00101002: sequence(elements(attributes(PatientID=plant("OtherPatientIDsSequence", "number")))),
        0x00091001: ("UN", plant("a private element").encode()),
        0x00090010: ("LO", plant("a private creator").encode()),
        0x00091002: ("UN", sequence(_nested(plant("a private sequence")))[1]),
        0x50000022: ("LO", plant("Curve Description").encode()),
        0x50003000: ("OB", plant("Curve Data").encode()),
        0x60000022: ("LO", plant("Overlay Description").encode()),
        0x60001500: ("LO", plant("Overlay Label").encode()),
        0x60003000: ("OB", plant("Overlay Data").encode()),
        0x60004000: ("LT", plant("Overlay Comments").encode()),
    }
    return header


def _nested(text: str) -> bytes:
    inner = elements(attributes(CodeValue="1", CodeMeaning=text))
    middle = elements({0x00321064: sequence(inner)} | attributes(ScheduledProcedureStepID=text[:8]))
    return elements({0x00400008: sequence(middle)})


def _meta(syntax: str, sop_class: str = uid.DigitalXRayImageStorageForPresentation) -> bytes:
    content = {
        0x00020002: ("UI", sop_class.encode()),
        0x00020003: ("UI", plant("MediaStorageSOPInstanceUID", "uid").encode()),
        0x00020010: ("UI", syntax.encode()),
        0x00020012: ("UI", plant("ImplementationClassUID", "uid").encode()),
        0x00020013: ("SH", plant("ImplementationVersionName").encode()),
        0x00020016: ("AE", plant("SourceApplicationEntityTitle").encode()),
        0x00020026: ("UR", plant("SourcePresentationAddress").encode()),
        0x00020100: ("UI", plant("PrivateInformationCreatorUID", "uid").encode()),
        0x00020102: ("OB", plant("PrivateInformation").encode()),
    }
    body = elements(content)
    return element(0x00020000, "UL", struct.pack("<I", len(body))) + body


def _behind() -> bytes:
    """What stands behind the pixel data."""
    return element(0xFFFAFFFA, *sequence(elements({0x04000115: ("LO", plant("a digital signature").encode())}))) + element(
        0xFFFCFFFC, "OB", plant("Data Set Trailing Padding").encode()
    )


def radiograph(
    number: int,
    pixels: bytes | None = None,
    syntax: str = uid.ExplicitVRLittleEndian,
    without: Iterable[str] = (),
    **values: Value,
) -> bytes:
    """A file of its own patient, with everything in it.

    Args:
        number: of the file; its pixels, patient, study and instance are those of no other.
        pixels: the value of Pixel Data, where it is not the picture.
        syntax: transfer syntax.
        without: attributes that are left out.
        values: attributes that are as this file needs them.
    """
    rows, columns = 64, 48
    own: dict[str, Value] = {
        "SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "Modality": "DX", "BodyPartExamined": "CHEST",
        "ViewPosition": "PA", "PatientSex": "F", "PatientAge": "061Y", "Rows": rows, "Columns": columns, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
    }  # fmt: skip
    for keyword, kind in _OWN:
        if keyword not in without and keyword not in values:
            own[keyword] = plant(f"{keyword} of file {number}", kind)
    header = common() | attributes(**{key: value for key, value in (own | values).items() if key not in without})
    encapsulated = uid.UID(syntax).is_encapsulated if uid.UID(syntax).is_transfer_syntax else False
    pixels = picture(number) if pixels is None else pixels
    data = struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OB", 0xFFFFFFFF if encapsulated else len(pixels)) + pixels
    preamble = plant("the preamble").encode().ljust(128, b"\0")
    before = {tag: pair for tag, pair in header.items() if tag < 0x7FE00010}
    return preamble + b"DICM" + _meta(syntax) + elements(before) + data + _behind()


def picture(number: int) -> bytes:
    """Grey values of no other number."""
    return np.random.default_rng(number).integers(0, 256, (64, 48), np.uint8).tobytes()


def jpeg(number: int, cut: int = 0) -> bytes:
    """An encapsulated JPEG with a comment and an application segment."""
    plain = bytes(imagecodecs.jpeg8_encode(np.frombuffer(picture(number), np.uint8).reshape(64, 48), level=95))
    texts = {0xFE: plant("a JPEG comment").encode(), 0xE1: b"Exif\0\0" + plant("a JPEG application segment").encode()}
    segments = b"".join(struct.pack(">BBH", 0xFF, marker, 2 + len(text)) + text for marker, text in texts.items())
    stream = plain[:2] + segments + plain[2 : len(plain) - cut]
    stream += b"\0" * (len(stream) % 2)
    item, end = struct.pack("<HHI", 0xFFFE, 0xE000, len(stream)), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HHI", 0xFFFE, 0xE000, 0) + item + stream + end


# the folder


@dataclass(frozen=True)
class Case:
    """A file of the folder, and the code that it must get, so that what it was planted for is really met."""

    content: bytes
    code: str = ""


def cases() -> list[Case]:
    """Files of every outcome, each in its own way."""
    names = iter(range(1, 1000))

    def new(code: str = "", *, pixels: bytes | None = None, syntax: str = uid.ExplicitVRLittleEndian, **values: Value) -> Case:
        return Case(radiograph(next(names), pixels, syntax, **values), code)

    def word(keyword: str) -> str:
        return plant(f"{keyword} that is no such word").upper()

    def digits(keyword: str) -> tuple[str, bytes]:
        return "IS", plant(f"{keyword} that is no such number", "number").encode()

    odd = {name: word(name) for name in ("ViewPosition", "BodyPartExamined", "PresentationLUTShape", "VOILUTFunction")}
    odd |= {
        "PatientOrientation": f"{word('PatientOrientation')}\\F",
        "PatientSex": word("PatientSex"),
        "RescaleType": word("RescaleType"),
    }
    accepted = [
        new(),
        new(syntax=uid.JPEGBaseline8Bit, pixels=jpeg(901)),
        new("inverted", PhotometricInterpretation="MONOCHROME1"),
        new("view-unknown", **odd, WindowCenter="100", WindowWidth="200"),
        new("window-unusable", WindowCenter=word("WindowCenter"), WindowWidth="200"),
        new(SpecificCharacterSet=word("SpecificCharacterSet")),
        new(PixelPaddingValue=digits("PixelPaddingValue")),
        new(
            "window-out-of-range",
            WindowCenter=digits("WindowCenter"),
            WindowWidth=digits("WindowWidth"),
            RescaleIntercept=digits("RescaleIntercept"),
        ),
        new(PatientAge=word("PatientAge"), StudyDate=word("StudyDate")),
    ]
    quarantined = [
        new("no-identity", without=("SOPInstanceUID",)),
        new("burned-in", BurnedInAnnotation="YES"),
        new("constant", pixels=bytes(64 * 48)),
        new("decode-failed", syntax=uid.JPEGBaseline8Bit, pixels=jpeg(902, cut=400)),
        new("bits-inconsistent", BitsStored=5),
        new("colour", PhotometricInterpretation=word("PhotometricInterpretation")),
        new("rescale-invalid", RescaleSlope=word("RescaleSlope"), RescaleIntercept="0"),
        new("unreadable", NumberOfFrames=word("NumberOfFrames")),
        new("multi-frame", NumberOfFrames=digits("NumberOfFrames")),
        new("decode-failed", Rows=digits("Rows")),
        new("bits-inconsistent", BitsAllocated=digits("BitsAllocated")),
        new("bits-inconsistent", BitsStored=digits("BitsStored")),
        new("bits-inconsistent", HighBit=digits("HighBit")),
        new("bits-inconsistent", PixelRepresentation=digits("PixelRepresentation")),
        new("for-processing", PresentationIntentType="FOR PROCESSING"),
        new("syntax-unsupported", syntax=plant("TransferSyntaxUID", "uid")),
        new("decode-failed", Rows=65),
        Case(
            _with(radiograph(next(names)), 0x00283010, *sequence(elements(attributes(LUTExplanation=plant("LUTExplanation"))))),
            "lut-invalid",
        ),
        Case(_with(radiograph(next(names)), 0x00283000, "LO", plant("a sequence that is a text").encode()), "unreadable"),
        Case(_with(radiograph(next(names)), 0x00100010, "PN", plant("a second PatientName").encode()), "duplicate-element"),
        Case(radiograph(next(names)) + plant("trailing bytes").encode(), "unreadable"),
        Case(radiograph(next(names))[:2000], "truncated"),
        Case(f"To the family of {plant('a letter')}:".encode() * 90, "unreadable"),
        Case(b"", "empty"),
    ]
    skipped = [
        new("modality", Modality=word("Modality")),
        new("not-an-image", Modality="SR", SOPClassUID=uid.BasicTextSRStorage),
        new("not-chest", BodyPartExamined=f"HAND {word('HAND')}"),
        new("lateral", ViewPosition="LL"),
    ]
    same = picture(1), plant("PatientID of file 1", "number")
    duplicates = [new("duplicate", pixels=same[0], PatientID=same[1]), new("duplicate-other-patient", pixels=same[0])]
    return [*accepted, *quarantined, *skipped, *duplicates]


def _with(data: bytes, tag: int, representation: str, value: bytes) -> bytes:
    """A file with a further element, before the first with a higher tag."""
    offset = 132
    while struct.unpack_from("<HH", data, offset) <= (tag >> 16, tag & 0xFFFF):
        long = data[offset + 4 : offset + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UR")
        offset += (
            12 + struct.unpack_from("<I", data, offset + 8)[0] if long else 8 + struct.unpack_from("<H", data, offset + 6)[0]
        )
    return data[:offset] + element(tag, representation, value) + data[offset:]


def write_folder(root: Path) -> dict[str, str]:
    """Write the folder, and `labels.csv` in it.

    Returns:
        The code that each file must get, by its path.
    """
    expected = {}
    for number, case in enumerate(cases(), start=1):
        path = root / plant(f"folder {number % 7}") / f"{number:02d} {plant(f'file name {number}')}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.content)
        when = int(plant(f"time of file {number}", "moment"))  # of an archive's file, often that of the examination
        os.utime(path, (when, when))
        expected[str(path.relative_to(root))] = case.code
    _write_archives(root)
    _write_medium(root / plant("folder of a medium"))
    (root / f"{plant('a link that leads nowhere')}.dcm").symlink_to(f"/nowhere/{plant('where it led')}.dcm")
    packed = io.BytesIO()
    with gzip.GzipFile(plant("name in a gzip header"), "wb", mtime=0, fileobj=packed, compresslevel=0) as file:
        file.write(radiograph(801))
    (root / f"{plant('file name of a gzip')}.gz").write_bytes(packed.getvalue())
    _write_table(root / "labels.csv")
    return expected


def _write_archives(root: Path) -> None:
    with zipfile.ZipFile(root / f"{plant('name of an archive')}.zip", "w") as archive:
        archive.comment = plant("comment of an archive").encode()
        for number, path in enumerate(("{}/a.dcm", "../{}.dcm", "b/{}.dcm", "c/{}.zip"), start=821):
            info = zipfile.ZipInfo(path.format(plant(f"path in an archive: {path}")))
            info.comment = plant("comment of a member").encode()
            archive.writestr(info, _inner_archive() if path.endswith("zip") else radiograph(number))
    damaged = b"PK\x03\x04" + plant("a damaged archive").encode() * 40
    (root / f"{plant('name of a damaged archive')}.zip").write_bytes(damaged)


def _inner_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{plant('path in an archive inside another')}.dcm", radiograph(831))
    return buffer.getvalue()


def _write_medium(folder: Path) -> None:
    """A DICOMDIR that names a patient, and a file that is not there."""
    folder.mkdir()
    record = attributes(DirectoryRecordType="IMAGE", PatientName=plant("PatientName in a DICOMDIR"))
    record |= {0x00041500: ("CS", f"{plant('folder in a DICOMDIR').upper()}\\{plant('file in a DICOMDIR').upper()}".encode())}
    meta = _meta(uid.ExplicitVRLittleEndian, uid.MediaStorageDirectoryStorage)
    body = elements({0x00041130: ("CS", plant("name of a medium").upper().encode()), 0x00041220: sequence(elements(record))})
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + meta + body)


def _write_table(path: Path) -> None:
    """A row for each of some files, one for none, and two columns that nobody asked for."""
    header = f"StudyInstanceUID,{plant('name of a column')},Remark,Mass,Effusion"
    keys = [plant(f"StudyInstanceUID of file {number}", "uid") for number in (1, 2, 3)] + [plant("a row without a file", "uid")]
    rows = [
        f"{key},{plant('a name in the table')},{plant(f'a remark in the table, row {row}')},1,0" for row, key in enumerate(keys)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")


# the search


class Search:
    """Finds identifiers in bytes, in any case, as UTF-8, UTF-16, base64 or hexadecimal, or digested without a key."""

    def __init__(self, planted: Mapping[str, Identifier]) -> None:
        self._places: dict[bytes, str] = {}
        for place, identifier in planted.items():
            for spelling in identifier.spellings():
                for pattern in _written(spelling):
                    self._places[pattern] = place
        self._starts = np.unique([int.from_bytes(pattern[:6].ljust(8, b"\0"), "little") for pattern in self._places])
        self._longest = max(map(len, self._places))

    def in_bytes(self, content: bytes) -> set[str]:
        """The places whose identifiers stand in some bytes."""
        found = set()
        for text in (content, content.lower()):
            for start in self._candidates(text):
                window = text[start : start + self._longest]
                found.update(
                    self._places[window[:length]] for length in range(6, len(window) + 1) if window[:length] in self._places
                )
        return found

    def _candidates(self, text: bytes) -> list[int]:
        """Where the first six bytes of some pattern stand."""
        data = np.frombuffer(text + b"\0" * 8, np.uint8).astype(np.uint64)
        words = sum(data[place : len(text) + place] << np.uint64(8 * place) for place in range(6))
        return np.flatnonzero(np.isin(words, self._starts)).tolist()

    def in_folder(self, folder: Path) -> dict[str, set[str]]:
        """Places by the file in which their identifiers stand; their names and times count, and what is packed is unpacked."""
        hits = {}
        for path in [folder, *sorted(folder.rglob("*"))]:
            name = path.relative_to(folder.parent).as_posix()
            told = f"{name}\n{path.lstat().st_mtime:.0f}\n{os.readlink(path) if path.is_symlink() else ''}"
            hits[name] = self.in_bytes(told.encode())
            if path.is_file():
                hits[name] |= self.in_bytes(path.read_bytes()) | self.in_bytes("\n".join(_unpacked(path)).encode())
        return {name: places for name, places in hits.items() if places}


def _written(text: str) -> Iterator[bytes]:
    plain = text.encode()
    yield plain
    for encoding in ("utf-16-le", "utf-16-be"):
        yield text.encode(encoding)
    yield plain.hex().encode()
    for shift in range(3):  # in base64 the same bytes look otherwise in each of three places
        coded = base64.b64encode(b"\0" * shift + plain).rstrip(b"=")
        yield coded[-(-shift * 8 // 6) : len(plain + b"\0" * shift) * 8 // 6]
    for algorithm in ("md5", "sha1", "sha256"):  # without a key, whoever has a list of patients can make them too
        digest = hashlib.new(algorithm, plain)
        yield digest.hexdigest().encode()
        yield digest.digest()


def _unpacked(path: Path) -> Iterator[str]:
    """The texts of a compressed table, and what is embedded in a page."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata)
        for column in table.columns:
            yield from map(str, column.to_pylist())
    if path.suffix == ".html":
        for coded in re.findall(rb"base64,([A-Za-z0-9+/=]+)", path.read_bytes()):
            yield base64.b64decode(coded).decode("latin-1")
