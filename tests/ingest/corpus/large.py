"""Files of 16 megapixels, as large as a detector makes them: whole ones are accepted, cut ones quarantined."""

from __future__ import annotations

import numpy as np
from pydicom import uid

from tests.ingest.corpus.dicom_file import dicom
from tests.ingest.corpus.not_whole import frame_closed, frame_cut
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import DEFLATED

group = Group()
quarantined, accepted = group.quarantined, group.accepted


def enlarged(words: Words) -> Words:
    """The picture at the size of a detector, 16 megapixels."""
    return np.kron(words, np.ones((42, 52), np.uint16))


@accepted("As large as they come.")
def large(words: Words) -> bytes:
    return dicom(enlarged(words))


@accepted("As large as they come, and packed to a hundredth: no bomb.")
def large_and_deflated(words: Words) -> bytes:
    return dicom(enlarged(words), DEFLATED)


@quarantined("The end of a large frame is missing.", "decode-failed")
def large_jpeg_ls_frame_cut(words: Words) -> bytes:
    return frame_cut(uid.JPEGLSLossless, enlarged(words))


@quarantined("The end of a large frame is missing, yet somebody put an end marker there.", "decode-failed")
def large_jpeg_lossless_frame_cut_and_closed(words: Words) -> bytes:
    return frame_closed(uid.JPEGLosslessSV1, enlarged(words))
