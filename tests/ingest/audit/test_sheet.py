from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from cxr.errors import DataError
from cxr.ingest.audit.sheet import SIDE, contact_sheet


def pixels(thumbnail):
    data = base64.b64decode(thumbnail.picture.partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("bits", [8, 16])
def test_thumbnails_show_black_grey_and_white_of_either_depth(ingest, bits):
    made = ingest([()] * 3, bits=bits)
    (kind,) = contact_sheet(made.files, made.manifest, made.store)
    shown = [pixels(thumbnail) for thumbnail in kind.thumbnails]
    assert all(image.shape == (SIDE, SIDE) for image in shown)
    assert [int(np.median(image)) for image in shown] == [0, 127, 255]


def test_kinds_are_the_accepted_and_each_code_of_a_taken_file(ingest):
    made = ingest([(), ("inverted", "padding"), ("empty",), ("view-unknown",), ("inverted", "burned-in")])
    kinds = {kind.name: [t.number for t in kind.thumbnails] for kind in contact_sheet(made.files, made.manifest, made.store)}
    assert kinds == {"accepted": [1], "inverted": [2], "padding": [2], "view-unknown": [4]}


def test_eight_are_spread_over_the_listing_and_the_choice_is_the_same_each_time(ingest):
    made = ingest([()] * 71)
    (kind,) = contact_sheet(made.files.sample(frac=1, random_state=1), made.manifest, made.store)
    assert kind.images == 71
    assert [thumbnail.number for thumbnail in kind.thumbnails] == [1, 11, 21, 31, 41, 51, 61, 71]


def test_a_thumbnail_shows_the_file_that_it_names(ingest):
    made = ingest([(), ("inverted",), ()])
    shuffled = made.manifest.frame.iloc[::-1].reset_index(drop=True)
    kinds = contact_sheet(made.files, type(made.manifest)(shuffled, ()), made.store)
    assert {kind.name: [int(np.median(pixels(t))) for t in kind.thumbnails] for kind in kinds} == {
        "accepted": [0, 255],
        "inverted": [127],
    }


def test_a_taken_file_without_an_image_is_refused(ingest):
    made = ingest([(), ()])
    with pytest.raises(DataError, match="no image in the manifest"):
        contact_sheet(made.files, type(made.manifest)(made.manifest.frame.iloc[:1], ()), made.store)


def test_nothing_taken_has_no_kinds(ingest):
    made = ingest([("empty",)])
    assert contact_sheet(made.files, made.manifest, made.store) == []
