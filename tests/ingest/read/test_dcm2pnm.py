"""Decoded and normalised here, and by DCMTK's dcm2pnm: the same grey values within 1 of 255.

Where dcm2pnm and the standard part, the standard is followed, and the case is put to dcm2pnm in words that it knows:
* it does not know LINEAR_EXACT and reads such a window as LINEAR: given to it as the LINEAR window of the same meaning;
* it has no JPEG 2000: it is given the same stored values uncompressed, so only the grey values are compared;
* where MONOCHROME1 stands beside PresentationLUTShape IDENTITY it follows the latter and says nothing: not compared, for
  the standard forbids that pair, and here it is flagged;
* it does not blacken padding: not compared.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr.ingest.read import part10
from cxr.ingest.read.decode import decode
from cxr.ingest.read.normalise import normalise
from cxr.phantom.encoding import EVERY_SYNTAX, Encoding, compressed_frame

TOOLS = ("dcm2pnm", "dcmj2pnm", "dcml2pnm")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="DCMTK (dcm2pnm, dcmj2pnm, dcml2pnm) is not installed"
)
SHARED = Path(__file__).parents[4] / "shared" / "data" / "dicom"
TOOL_OF = {
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1), "dcmj2pnm"),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "dcml2pnm"),
}
UNKNOWN_TO_DCMTK = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
X = RAMP.astype(np.int32)
CURVE = np.round(255 * np.sqrt(np.arange(4096) / 4095)).astype(int)
TWELVE: dict[str, Any] = {"BitsStored": 12}
SIGNED = TWELVE | {"PixelRepresentation": 1}
M1 = {"PhotometricInterpretation": "MONOCHROME1"}
WINDOW = {"WindowCenter": 1900, "WindowWidth": 2500}
FIRST_WINDOW, FIRST_LUT = ("+Wi", "1"), ("+Wl", "1")


def signed(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int16).view(np.uint16)


def lut(entries: np.ndarray | bytes, count: int, first: int, bits: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count, first, bits])
    packed = isinstance(entries, bytes)
    item.add_new("LUTData", "OW" if packed else "US", entries if packed else [int(entry) for entry in entries])
    return Sequence([item])


def voi_lut(*arguments: Any) -> dict[str, Any]:
    return {"VOILUTSequence": lut(*arguments)}


# stored words, attributes, and the options that make dcm2pnm show what the attributes ask for
CASES: dict[str, tuple[np.ndarray, dict[str, Any], tuple[str, ...]]] = {
    "monochrome2": (RAMP, TWELVE, ()),
    "monochrome1": (RAMP, TWELVE | M1, ()),
    "shape inverse": (RAMP, TWELVE | {"PresentationLUTShape": "INVERSE"}, ()),
    "monochrome1, shape inverse": (RAMP, TWELVE | M1 | {"PresentationLUTShape": "INVERSE"}, ()),
    "slope -1": (RAMP, TWELVE | {"RescaleSlope": -1, "RescaleIntercept": 4095}, ()),
    "slope -1, window": (RAMP, TWELVE | WINDOW | {"RescaleSlope": -1, "RescaleIntercept": 4095}, FIRST_WINDOW),
    "slope 0.5, window": (
        RAMP,
        TWELVE | {"RescaleSlope": 0.5, "RescaleIntercept": -1000, "WindowCenter": -100, "WindowWidth": 1500},
        FIRST_WINDOW,
    ),
    "slope 2.5": (RAMP, TWELVE | {"RescaleSlope": 2.5, "RescaleIntercept": -1000}, ()),
    "high bit 15": (RAMP << 4, TWELVE | WINDOW | {"HighBit": 15}, FIRST_WINDOW),
    "signed": (signed(X - 2048), SIGNED, ()),
    "signed, window": (signed(X - 2048), SIGNED | {"WindowCenter": -100, "WindowWidth": 1500}, FIRST_WINDOW),
    "signed monochrome1": (signed(X - 2048), SIGNED | M1, ()),
    "16 bit": (RAMP << 4, {}, ()),
    "8 bit": ((RAMP >> 4).astype(np.uint8), {"WindowCenter": 100, "WindowWidth": 120}, FIRST_WINDOW),
    "two windows": (RAMP, TWELVE | {"WindowCenter": [1000, 3000], "WindowWidth": [1500, 500]}, FIRST_WINDOW),
    "off-centre window of monochrome1": (RAMP, TWELVE | M1 | {"WindowCenter": 900, "WindowWidth": 600}, FIRST_WINDOW),
    "wider window": (RAMP, TWELVE | {"WindowCenter": 2048, "WindowWidth": 9000}, FIRST_WINDOW),
    "sigmoid": (RAMP, TWELVE | WINDOW | {"VOILUTFunction": "SIGMOID"}, FIRST_WINDOW),
    "linear exact": (
        RAMP,
        TWELVE | {"WindowCenter": 1900, "WindowWidth": 50, "VOILUTFunction": "LINEAR_EXACT"},
        ("+Ww", "1900.5", "51"),
    ),
    "8-bit lut": (RAMP, TWELVE | voi_lut(CURVE, 4096, 0, 8), FIRST_LUT),
    "8-bit lut, packed": (RAMP, TWELVE | voi_lut(CURVE.astype(np.uint8).tobytes(), 4096, 0, 8), FIRST_LUT),
    "12-bit lut": (RAMP, TWELVE | voi_lut(CURVE * 16, 4096, 0, 12), FIRST_LUT),
    "short lut": (RAMP, TWELVE | voi_lut(CURVE[:1000] * 16 + 200, 1000, 1500, 12), FIRST_LUT),
    "16-bit lut": (RAMP, TWELVE | voi_lut(CURVE * 256, 4096, 0, 16), FIRST_LUT),
    "lut of signed values": (signed(X - 2048), SIGNED | voi_lut(CURVE * 16, 4096, -2048, 12), FIRST_LUT),
    "modality lut": (RAMP, TWELVE | {"ModalityLUTSequence": lut(4000 - CURVE * 8, 4096, 0, 12)}, ()),
    "modality lut of 16 bits": (RAMP, TWELVE | {"ModalityLUTSequence": lut(CURVE * 200, 4096, 0, 16)}, ()),
    "modality lut, window": (RAMP, TWELVE | WINDOW | {"ModalityLUTSequence": lut(CURVE * 8, 4096, 0, 12)}, FIRST_WINDOW),
}


def shown_by_dcmtk(header: Dataset, folder: Path, options: tuple[str, ...]) -> np.ndarray:
    pydicom.dcmwrite(folder / "image.dcm", header, enforce_file_format=True)
    tool = TOOL_OF.get(header.file_meta.TransferSyntaxUID, "dcm2pnm")
    command = [tool, "--no-overlays", "--write-raw-pnm", *options, "image.dcm", "image.pgm"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return cv2.imread(str(folder / "image.pgm"), cv2.IMREAD_UNCHANGED)


def stored_natively(header: Dataset, frame: np.ndarray) -> Dataset:
    """The same image with its decoded words stored as they are."""
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data = frame.tobytes()
    header.PixelData = data + b"\0" * (len(data) % 2)
    header["PixelData"].VR = "OB" if frame.itemsize == 1 else "OW"
    header["PixelData"].is_undefined_length = False
    return header


def differences(ours: np.ndarray, theirs: np.ndarray) -> int:
    assert ours.shape == theirs.shape
    assert theirs.min() < theirs.max()
    return int(np.abs(ours.astype(int) - theirs).max())


@pytest.mark.parametrize("name", CASES)
def test_grey_values_are_dcm2pnms(build, reread, tmp_path, name):
    words, attributes, options = CASES[name]
    header = reread(build(words.astype(words.dtype), **attributes))
    ours = normalise(decode(header), header).pixels
    assert differences(ours, shown_by_dcmtk(header, tmp_path, options)) <= 1


@pytest.mark.parametrize("encoding", EVERY_SYNTAX, ids=lambda encoding: uid.UID(encoding.transfer_syntax).name)
def test_every_syntax_gives_dcm2pnms_grey_values(build, reread, tmp_path, encoding):
    words = RAMP if encoding.bits == 12 else (RAMP >> 4).astype(np.uint8)
    window = {"WindowCenter": 120, "WindowWidth": 180} if encoding.bits == 8 else WINDOW
    frame = compressed_frame(words, encoding)
    header = reread(build(words, encoding.transfer_syntax, frame, **window, BitsStored=encoding.bits))
    raw = decode(header)
    ours = normalise(raw, header).pixels
    if encoding.transfer_syntax in UNKNOWN_TO_DCMTK:
        header = stored_natively(header, raw)
    theirs = shown_by_dcmtk(header, tmp_path, FIRST_WINDOW)
    assert differences(ours, theirs) <= 1


def test_one_ramp_encoded_in_all_lossless_ways_decodes_to_one_array(build, reread):
    ways = {}
    for syntax in (encoding.transfer_syntax for encoding in EVERY_SYNTAX if encoding.lossless):
        for bits in (12, 16):
            words = RAMP if bits == 12 else RAMP << 4
            encoded = compressed_frame(words, Encoding(syntax, "DX", "MONOCHROME2", bits, None))
            header = reread(build(words, syntax, encoded, BitsStored=bits))
            raw = decode(header)
            assert np.array_equal(raw, words)
            ways[syntax, bits] = normalise(raw >> np.uint16(bits - 12), header_of_twelve(header)).pixels
    assert len(ways) >= 12
    assert len({pixels.tobytes() for pixels in ways.values()}) == 1


def header_of_twelve(header: Dataset) -> Dataset:
    header.BitsStored, header.HighBit = 12, 11
    return header


@pytest.fixture(params=[0, 1, 2, 3])
def real_file(request) -> Path:
    files = sorted(SHARED.glob("*.dcm")) if SHARED.is_dir() else []
    if request.param >= len(files):
        pytest.skip("the real DICOM files are not beside this checkout (../shared/data/dicom)")
    return files[request.param]


def test_real_files_give_dcm2pnms_grey_values(real_file, tmp_path):
    data = real_file.read_bytes()
    parsed = part10.parse(data).header
    raw = decode(parsed)
    result = normalise(raw, parsed)
    header = pydicom.dcmread(io.BytesIO(data))
    if header.file_meta.TransferSyntaxUID in UNKNOWN_TO_DCMTK:
        header = stored_natively(header, raw)
    options = FIRST_WINDOW if result.decisions["voi"].startswith("window") else ()
    options = FIRST_LUT if result.decisions["voi"].startswith("VOI LUT") else options
    assert differences(result.pixels, shown_by_dcmtk(header, tmp_path, options)) <= 1
