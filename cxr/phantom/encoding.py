"""How a picture becomes stored values: bits, polarity, rescale and window, and the encoder of the transfer syntax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import uid

from cxr.phantom.canvas import FloatImage

StoredValues = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""[rows, columns], uint8 for 8 bits stored, else uint16."""


LOSSY_METHODS: Mapping[str, str] = MappingProxyType(
    {
        uid.JPEGBaseline8Bit: "ISO_10918_1",
        uid.JPEGExtended12Bit: "ISO_10918_1",
        uid.JPEGLSNearLossless: "ISO_14495_1",
        uid.JPEG2000: "ISO_15444_1",
        uid.HTJ2K: "ISO_15444_15",
    }
)
"""What the lossy transfer syntaxes are called in LossyImageCompressionMethod, PS3.3 C.7.6.1.1.5.1."""


@dataclass(frozen=True)
class Encoding:
    """One way in which devices write the same picture.

    Args:
        transfer_syntax: UID of the transfer syntax.
        modality: DX or CR.
        photometric: photometric interpretation; in MONOCHROME1 the lowest value is white.
        bits: bits stored; allocated are 8 for 8, else 16.
        window: function of the window that is written, or None for no window, when values fill all bits.
        slope, intercept: rescale to modality values; 1 and 0 are not written for CR.
    """

    transfer_syntax: str
    modality: Literal["DX", "CR"]
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    bits: Literal[8, 12, 16]
    window: Literal["LINEAR", "LINEAR_EXACT"] | None
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def lossless(self) -> bool:
        """Whether decoding gives the stored values back exactly."""
        return self.transfer_syntax not in LOSSY_METHODS

    @property
    def stored_range(self) -> tuple[int, int]:
        """The stored values of the two ends of the grey scale: all bits without a window, else less than all."""
        top = 2**self.bits - 1
        return (0, top) if self.window is None else (round(0.04 * top), round(0.93 * top))

    @property
    def window_center_width(self) -> tuple[float, float]:
        """Center and width, in modality values, of the window that shows exactly the stored range."""
        low, high = (value * self.slope + self.intercept for value in self.stored_range)
        center, width = (low + high) / 2, high - low
        # PS3.3 C.11.2.1.2: LINEAR spans from center - 0.5 - (width - 1) / 2 to center - 0.5 + (width - 1) / 2
        return (center + 0.5, width + 1) if self.window == "LINEAR" else (center, width)


ENCODINGS: tuple[Encoding, ...] = (
    Encoding(uid.ExplicitVRLittleEndian, "DX", "MONOCHROME2", 12, "LINEAR"),
    Encoding(uid.JPEGLSLossless, "DX", "MONOCHROME1", 12, "LINEAR"),
    Encoding(uid.ImplicitVRLittleEndian, "CR", "MONOCHROME1", 12, "LINEAR"),
    Encoding(uid.JPEGLosslessSV1, "CR", "MONOCHROME2", 12, "LINEAR", 1.0, -1024.0),
    Encoding(uid.DeflatedExplicitVRLittleEndian, "DX", "MONOCHROME2", 16, "LINEAR"),
    Encoding(uid.RLELossless, "DX", "MONOCHROME1", 12, "LINEAR_EXACT"),
    Encoding(uid.JPEG2000Lossless, "DX", "MONOCHROME2", 12, "LINEAR"),
    Encoding(uid.ImplicitVRLittleEndian, "CR", "MONOCHROME2", 16, "LINEAR_EXACT", 0.5, 100.0),
    Encoding(uid.JPEGBaseline8Bit, "DX", "MONOCHROME2", 8, None),
    Encoding(uid.HTJ2KLossless, "DX", "MONOCHROME2", 16, "LINEAR"),
    Encoding(uid.ExplicitVRLittleEndian, "CR", "MONOCHROME2", 12, None),
    Encoding(uid.JPEGLosslessSV1, "DX", "MONOCHROME1", 16, "LINEAR"),
    Encoding(uid.ExplicitVRLittleEndian, "CR", "MONOCHROME1", 8, None),
    Encoding(uid.JPEGLSLossless, "CR", "MONOCHROME2", 16, "LINEAR"),
)
"""The encodings a cohort cycles through."""

EVERY_SYNTAX: tuple[Encoding, ...] = (
    *(Encoding(syntax, "DX", "MONOCHROME2", 12, "LINEAR") for syntax in (
        uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless,
        uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K,
    )),
    Encoding(uid.JPEGBaseline8Bit, "DX", "MONOCHROME2", 8, None),
)  # fmt: skip
"""One encoding for each transfer syntax that can hold a radiograph."""


def stored_values(picture: FloatImage, encoding: Encoding) -> StoredValues:
    """The values that a file of an encoding stores for a picture.

    Args:
        picture: float32 [rows, columns] in 0..1, 1 is white.
        encoding: the encoding.
    """
    low, high = encoding.stored_range
    shown = 1 - picture if encoding.photometric == "MONOCHROME1" else picture
    values: FloatImage = np.rint(low + shown * np.float32(high - low))
    if encoding.bits == 8:
        return values.astype(np.uint8)
    return values.astype(np.uint16)


def _jpeg_lossless(values: StoredValues, bits: int) -> Any:
    # .70 promises selection value 1, the predictor that takes the pixel to the left
    return imagecodecs.jpeg8_encode(values, lossless=True, predictor=1, bitspersample=bits)


def _jpeg_lossless_above(values: StoredValues, bits: int) -> Any:
    # .57 leaves the predictor open: 7, the mean of the pixels to the left and above
    return imagecodecs.jpeg8_encode(values, lossless=True, predictor=7, bitspersample=bits)


def _jpeg_2000(values: StoredValues, bits: int) -> Any:
    return imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=bits, numthreads=1)


def _jpeg_2000_lossy(values: StoredValues, bits: int) -> Any:
    # the level is the signal-to-noise ratio in dB
    return imagecodecs.jpeg2k_encode(values, level=60, codecformat="j2k", reversible=False, bitspersample=bits, numthreads=1)


def _high_throughput_rpcl(values: StoredValues, bits: int) -> Any:
    # the encoder's order is RPCL always; .202 asks for the lengths of the tile parts beside it
    return imagecodecs.htj2k_encode(values, reversible=True, tlm=True)


def _high_throughput_lossy(values: StoredValues, bits: int) -> Any:
    # the level is the quantisation step, relative to the range of the container
    return imagecodecs.htj2k_encode(values, reversible=False, level=1e-4)


ENCODERS: Mapping[str, Callable[[StoredValues, int], Any]] = MappingProxyType(
    {
        uid.JPEGLSLossless: lambda values, bits: imagecodecs.jpegls_encode(values),
        uid.JPEGLosslessSV1: _jpeg_lossless,
        uid.JPEG2000Lossless: _jpeg_2000,
        uid.HTJ2KLossless: lambda values, bits: imagecodecs.htj2k_encode(values),
        uid.JPEGBaseline8Bit: lambda values, bits: imagecodecs.jpeg8_encode(values, level=97),
        uid.JPEGExtended12Bit: lambda values, bits: imagecodecs.jpeg8_encode(values, level=97, bitspersample=bits),
        uid.JPEGLossless: _jpeg_lossless_above,
        uid.JPEGLSNearLossless: lambda values, bits: imagecodecs.jpegls_encode(values, level=2),
        uid.JPEG2000: _jpeg_2000_lossy,
        uid.HTJ2KLosslessRPCL: _high_throughput_rpcl,
        uid.HTJ2K: _high_throughput_lossy,
        uid.RLELossless: lambda values, bits: _run_length(values),
    }
)


def compressed_frame(values: StoredValues, encoding: Encoding) -> bytes | None:
    """The encapsulated frame of an encoding, or None where its transfer syntax stores values as they are."""
    encoder = ENCODERS.get(encoding.transfer_syntax)
    return None if encoder is None else bytes(encoder(values, encoding.bits))


def _run_length(values: StoredValues) -> bytes:
    """An RLE frame (PS3.5 Annex G): one segment per byte of a pixel, the high one first, packed row by row."""
    planes = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(*values.shape, values.itemsize)
    segments = [_packed(np.ascontiguousarray(planes[:, :, k])) for k in range(values.itemsize)]
    offsets = 64 + np.cumsum([0, *(len(segment) for segment in segments[:-1])])
    header = np.zeros(16, "<u4")
    header[: len(segments) + 1] = [len(segments), *offsets]
    return header.tobytes() + b"".join(segments)


def _packed(plane: npt.NDArray[np.uint8]) -> bytes:
    packed = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in plane)
    return packed + b"\0" * (len(packed) % 2)
