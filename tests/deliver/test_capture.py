"""Maps as Secondary Captures."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
import torch

from cxr.deliver.capture import with_caption
from cxr.deliver.encode import encode
from cxr.deliver.maps import MapPictures
from cxr.errors import ConfigError, DataError
from tests.serve.models import NAMES, chest, write_model


def captures(delivered):
    return [each for each in delivered.objects if each.Modality != "SR"]


def test_a_map_is_the_labels_own_overlay_with_a_caption_below(deliver, model_file):
    (found,) = captures(deliver([chest(0)], maps=[NAMES[1]]))
    pixels = pydicom.dcmread(BytesIO(encode(found))).pixel_array
    (overlay,) = MapPictures(model_file, torch.device("cpu")).of(chest(0), [1])
    np.testing.assert_array_equal(pixels[:1024], with_caption(overlay, ())[:1024])
    assert pixels.shape == (1124, 1024, 3)
    assert np.ptp(pixels[1024:]) > 200


def test_it_says_that_it_is_burned_in_derived_and_from_what(deliver):
    (found,) = captures(deliver([chest(0)], maps=[NAMES[0]]))
    assert (found.BurnedInAnnotation, found.Modality, found.ConversionType) == ("YES", "OT", "DI")
    assert list(found.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert "'Mass'" in found.DerivationDescription
    assert "no diagnosis" in found.DerivationDescription
    source = pydicom.dcmread(BytesIO(chest(0)))
    assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert found.SourceImageSequence[0].ReferencedSOPClassUID == source.SOPClassUID


def test_maps_of_what_is_positive_are_those_of_a_yes_and_nothing_asked_for_gives_none(deliver):
    found = deliver([chest(0)], maps=["positive"])
    assert [each.ImageComments.partition(":")[0] for each in captures(found)] == list(found.deliveries[0].yes)
    assert 0 < len(found.deliveries[0].yes) < 3
    assert captures(deliver([chest(0)])) == []


def test_which_maps_are_asked_for_changes_no_uid_and_number_of_a_map(deliver):
    every = {each.SOPInstanceUID: each.InstanceNumber for each in captures(deliver([chest(0)], maps=NAMES))}
    (one,) = captures(deliver([chest(0)], maps=[NAMES[2]]))
    assert every[one.SOPInstanceUID] == one.InstanceNumber == 3
    assert sorted(every.values()) == [1, 2, 3]


@pytest.mark.parametrize(("orientation", "expected"), [("L\\F", ["L", "F"]), ("", "")])
def test_an_orientation_is_told_only_where_the_source_tells_it(deliver, orientation, expected):
    (found,) = captures(deliver([chest(0, PatientOrientation=orientation)], maps=[NAMES[0]]))
    again = pydicom.dcmread(BytesIO(encode(found)))
    assert (list(again.PatientOrientation) if again.PatientOrientation else "") == expected


def test_a_label_that_the_model_does_not_have_and_a_head_without_maps_are_refused_in_words(deliver, tmp_path):
    with pytest.raises(ConfigError, match=r"--maps: 'Masses' is no label of the model, which has: Mass, "):
        deliver([chest(0)], maps=["Masses"])
    plain = write_model(tmp_path / "plain.safetensors", head={"kind": "aggregated"})
    with pytest.raises(DataError, match="no disease maps"):
        deliver([chest(0)], maps=[NAMES[0]], model=plain)


def test_a_name_beyond_ascii_is_written_into_the_picture():
    square = np.zeros((32, 32, 3), np.uint8)
    assert (with_caption(square, ("Ödem",)) != with_caption(square, ("?dem",))).any()
