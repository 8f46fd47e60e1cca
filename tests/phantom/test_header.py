from __future__ import annotations

import pytest
from pydicom.uid import UID

from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.header import build_header, derived_uid


def test_derived_uids_are_valid_stable_and_different():
    assert derived_uid("a", 1) == derived_uid("a", 1) != derived_uid("a", 2)
    assert UID(derived_uid("a", 1)).is_valid
    assert derived_uid("a", "bc") != derived_uid("ab", "c")


@pytest.mark.parametrize("encoding", ENCODINGS[:4])
def test_people_and_places_are_obviously_made_up(examination, encoding):
    header = build_header(examination, encoding)
    for name in ("PatientName", "PatientID", "InstitutionName", "Manufacturer", "ReferringPhysicianName"):
        assert "phantom" in str(header[name].value).casefold()


def test_age_view_and_orientation_are_written_as_dicom_has_them(examination):
    header = build_header(examination, ENCODINGS[0])
    assert header.PatientAge == "061Y"
    assert header.ViewPosition == "PA"
    assert header.ViewCodeSequence[0].CodeMeaning == "postero-anterior"
    assert list(header.PatientOrientation) == ["L", "F"]
    assert header.PresentationIntentType == "FOR PRESENTATION"
