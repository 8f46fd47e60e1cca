"""Quarantined: what the header says, or leaves unsaid, of the picture, whose it is and what it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from tests.ingest.corpus.dicom_file import clean, dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import EXPLICIT, compressed, in_8_bits, native
from tests.ingest.corpus.raw import element, meta_and_body, spliced

group = Group()
quarantined = group.quarantined


@quarantined("A picture of no rows.", "decode-failed")
def zero_rows(words: Words) -> bytes:
    return dicom(words, Rows=0)


@quarantined("Nothing says how many columns there are.", "decode-failed")
def no_columns(words: Words) -> bytes:
    return dicom(words, without=("Columns",))


@quarantined("A row of pixels is missing, though the element is whole.", "decode-failed")
def too_few_pixels(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words[:-1]))


@quarantined("Pixels too many: which rows are the picture's cannot be told.", "decode-failed")
def too_many_pixels(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) + bytes(160))


@quarantined("Two frames, as the header says.", "multi-frame")
def two_frames(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) * 2, NumberOfFrames=2)


@quarantined("Two frames that the header does not mention: the data are twice as long as the picture.", "decode-failed")
def two_frames_untold(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words) * 2)


@quarantined("Two codestreams that the header does not mention; decoders would show the first.", "multi-frame")
def two_codestreams_untold(words: Words) -> bytes:
    return dicom(words, uid.JPEGLSLossless, [compressed(words, uid.JPEGLSLossless)] * 2)


@quarantined("Two RLE fragments: each is a frame, by the standard.", "multi-frame")
def two_rle_frames_untold(words: Words) -> bytes:
    return dicom(words, uid.RLELossless, [compressed(words, uid.RLELossless)] * 2)


@quarantined("A number of frames that is no number.", "unreadable")
def frames_in_words(words: Words) -> bytes:
    return spliced(clean(words), element(0x00280008, b"IS", b"ONE "))


@quarantined("Values of 12 bits where 8 are stored: masking them would wrap the bright parts to black.", "bits-inconsistent")
def bits_stored_too_small(words: Words) -> bytes:
    return dicom(words, BitsStored=8, HighBit=7)


@quarantined("A bit above the stored ones is set in one pixel.", "bits-inconsistent")
def stray_bit(words: Words) -> bytes:
    words = words.copy()
    words[50, 40] |= 0x8000
    return dicom(words)


@quarantined("Values of no bits.", "bits-inconsistent")
def bits_stored_0(words: Words) -> bytes:
    return dicom(words, BitsStored=0)


@quarantined("More bits stored than there are.", "bits-inconsistent")
def bits_stored_20(words: Words) -> bytes:
    return dicom(words, BitsStored=20, HighBit=19)


@quarantined("12 bits cannot end at bit 9.", "bits-inconsistent")
def high_bit_too_low(words: Words) -> bytes:
    return dicom(words, HighBit=9)


@quarantined("No radiograph has 32 bits.", "bits-inconsistent")
def bits_allocated_32(words: Words) -> bytes:
    return dicom(words, EXPLICIT, native(words.astype(np.uint32)), BitsAllocated=32)


@quarantined("A picture of single bits.", "bits-inconsistent")
def bits_allocated_1(words: Words) -> bytes:
    return dicom(words, EXPLICIT, bytes(960), BitsAllocated=1, BitsStored=1, HighBit=0)


@quarantined("Nothing says how many bits are stored.", "bits-inconsistent")
def no_bits_stored(words: Words) -> bytes:
    return dicom(words, without=("BitsStored",))


@quarantined("A header without a picture.", "no-pixels")
def no_pixel_data(words: Words) -> bytes:
    return dicom(words, without=("PixelData",))


@quarantined("Pixel data without a byte.", "no-pixels")
def empty_pixel_data(words: Words) -> bytes:
    return dicom(words, EXPLICIT, b"")


@quarantined("Floating point pixels are no radiograph's.", "no-pixels")
def float_pixel_data(words: Words) -> bytes:
    return dicom(words, without=("PixelData",)) + element(0x7FE00008, b"OF", words.astype("<f4").tobytes())


@quarantined("Nothing tells whose image it is.", "no-identity")
def no_patient(words: Words) -> bytes:
    return dicom(words, without=("PatientID",))


@quarantined("A patient of blanks.", "no-identity")
def blank_patient(words: Words) -> bytes:
    return dicom(words, PatientID="    ")


@quarantined("Nothing tells to which study it belongs.", "no-identity")
def no_study(words: Words) -> bytes:
    return dicom(words, without=("StudyInstanceUID",))


@quarantined("Nothing tells which image it is.", "no-identity")
def no_instance(words: Words) -> bytes:
    return dicom(words, without=("SOPInstanceUID",))


@quarantined("A film of another kind: no decoder is pinned.", "syntax-unsupported")
def mpeg_2(words: Words) -> bytes:
    return dicom(words, uid.MPEG2MPML, [b"\0\0\1\xb3" + bytes(400)])


@quarantined("A transfer syntax of a manufacturer.", "syntax-unsupported")
def private_syntax(words: Words) -> bytes:
    meta, body = meta_and_body(clean(words))
    name = element(0x00020010, b"UI", b"1.2.840.113619.5.2")
    old = element(0x00020010, b"UI", EXPLICIT.encode() + b"\0")
    return meta.replace(old, name) + body


@quarantined("All values would become one.", "rescale-invalid")
def slope_0(words: Words) -> bytes:
    return dicom(words, RescaleSlope="0", RescaleIntercept="0")


@quarantined("A slope that is not a number.", "rescale-invalid")
def slope_nan(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281053, b"DS", b"NaN "))


@quarantined("A slope in words.", "rescale-invalid")
def slope_in_words(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281053, b"DS", b"none"))


@quarantined("An intercept without end.", "rescale-invalid")
def intercept_infinite(words: Words) -> bytes:
    return spliced(clean(words), element(0x00281052, b"DS", b"1e999 "))


def look_up_table(entries: Words, count: int, bits: int = 12) -> Dataset:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [count, 0, bits])
    table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return table


@quarantined("A VOI LUT of 1,000 entries that promises 4,096.", "lut-invalid")
def lut_too_short(words: Words) -> bytes:
    return dicom(words, VOILUTSequence=[look_up_table(np.arange(1000), 4096)])


@quarantined("A Modality LUT of 1,000 entries that promises 4,096.", "lut-invalid")
def modality_lut_too_short(words: Words) -> bytes:
    return dicom(words, ModalityLUTSequence=[look_up_table(np.arange(1000), 4096)])


@quarantined("A look-up table without its descriptor.", "lut-invalid")
def lut_without_descriptor(words: Words) -> bytes:
    table = look_up_table(np.arange(4096), 4096)
    del table.LUTDescriptor
    return dicom(words, VOILUTSequence=[table])


@quarantined("A look-up table that makes all values one.", "lut-invalid")
def modality_lut_flat(words: Words) -> bytes:
    return dicom(words, ModalityLUTSequence=[look_up_table(np.full(4096, 7), 4096)])


@quarantined("One value everywhere.", "constant")
def constant(words: Words) -> bytes:
    return dicom(np.full_like(words, 1500))


@quarantined("Nothing but the noise of the detector, as without exposure.", "blank")
def blank(words: Words) -> bytes:
    return dicom(1500 + words % 10)


@quarantined("Text is burned into the picture, which may be a name.", "burned-in")
def burned_in(words: Words) -> bytes:
    return dicom(words, BurnedInAnnotation="YES")


@quarantined("Raw values, which are shown otherwise, as the intent says.", "for-processing")
def for_processing(words: Words) -> bytes:
    return dicom(words, PresentationIntentType="FOR PROCESSING")


@quarantined("Raw values, which are shown otherwise, as the SOP class says.", "for-processing")
def for_processing_class(words: Words) -> bytes:
    return dicom(words, SOPClassUID=uid.DigitalXRayImageStorageForProcessing, without=("PresentationIntentType",))


def in_colour(words: Words, **attributes: Any) -> bytes:
    pixels = np.dstack([in_8_bits(words)] * 3)
    return dicom(
        in_8_bits(words), EXPLICIT, pixels.tobytes(), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        **attributes,
    )  # fmt: skip


@quarantined("A picture of a screen: worth a look, since a radiograph may be in it.", "colour")
def rgb_screenshot(words: Words) -> bytes:
    return in_colour(words, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT", ConversionType="WSD")


@quarantined("A radiograph in colour.", "colour")
def rgb_radiograph(words: Words) -> bytes:
    return in_colour(words)


@quarantined("Values that stand for colours.", "colour")
def palette_colour(words: Words) -> bytes:
    return dicom(words, PhotometricInterpretation="PALETTE COLOR")


@quarantined("Nothing says whether low values are black or white.", "unreadable")
def no_photometric_interpretation(words: Words) -> bytes:
    return dicom(words, without=("PhotometricInterpretation",))
