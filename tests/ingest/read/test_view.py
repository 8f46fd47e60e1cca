"""The view is what the most trusted attribute says, and no disagreement goes unsaid."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from cxr.ingest.outcome import CODES
from cxr.ingest.read import view as module
from cxr.ingest.read.attributes import IMAGE_TEXTS, ORDER_TEXTS
from cxr.ingest.read.view import ViewFinding, find_view, parse_view
from cxr.manifest import VIEWS
from tests.ingest.read.conftest import header_with_code

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of each odd value

TELLERS = ("ViewCodeSequence", "ViewPosition", "PatientOrientation", "descriptions", "")
PA, AP, FRONTAL, LATERAL = "272479007", "399348003", "399033003", "399173006"
CONTRADICTION, UNKNOWN = ("view-contradiction",), ("view-unknown",)

header = partial(header_with_code, "ViewCodeSequence")


@pytest.mark.parametrize(
    ("line", "view"),
    [
        ("PA", "PA"), (" ap ", "AP"), ("P.A.", "PA"), ("a. p.", "AP"), ("P-A", "PA"), ("AP AXIAL", "AP"), ("PA_ERECT", "PA"),
        ("LL", "LATERAL"), ("RL", "LATERAL"), ("Lat.", "LATERAL"), ("lateral", "LATERAL"), ("XTABLE LATERAL", "LATERAL"),
        ("Chest p.a.", "PA"), ("Thorax ap liegend", "AP"), ("Thorax liegend", "AP"), ("CHEST (PORTABLE AP)", "AP"),
        ("Bettaufnahme", "AP"), ("Thorax seitlich", "LATERAL"), ("Thorax liegend seitlich", "LATERAL"), ("THORAXPA", "PA"),
        ("postero-anterior", "PA"), ("Antero_posterior", "AP"), ("Frontal PA", "PA"),
        ("Frontal", "unknown"), ("LLD", "unknown"), ("left lateral decubitus", "unknown"), ("AP LLD", "AP"),
        ("RAO", "unknown"), ("", "unknown"), (None, "unknown"), ("PATIENT", "unknown"), ("bilateral", "unknown"),
        ("Chest PA and lateral", "unknown"), ("PA/LAT", "unknown"), ("Thorax in 2 Ebenen", "unknown"),
        ("Thorax pa, 2 Ebenen", "unknown"), ("CHEST 2 VIEWS PA", "unknown"), ("PA\\AP", "unknown"), ("CT A/P", "unknown"),
        ("sagittal", "unknown"), ("Port-Kontrolle", "unknown"),
    ],
)  # fmt: skip
def test_text_is_read_as_the_view_it_names(line, view):
    assert parse_view(line) == view


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("PosteroAnterior", "PA"), ("AnteroPosterior", "AP"), ("Frontal", "FRONTAL"),
        ("LateralProjection", "LATERAL"), ("LeftLateral", "LATERAL"), ("RightLateral", "LATERAL"),
        ("MedioLateralProjection", "LATERAL"), ("LateralMedial", "LATERAL"),
    ],
)  # fmt: skip
def test_code_of_the_standard_is_read_as_the_view_it_means(name, direction):
    assert module._DIRECTION_OF_CODE[getattr(standard.cid4010, name).value] == direction


def test_every_oblique_view_of_the_standard_is_oblique_and_no_other():
    oblique = {
        code.value for code in (getattr(standard.cid4010, name) for name in standard.cid4010.dir()) if "oblique" in code.meaning
    }
    assert oblique == {code for code in module._CODES["OBLIQUE"] if code.isdigit()}


def test_every_older_code_means_the_same_as_one_of_today():
    for listed in module._CODES.values():
        today = [Code(code, "SCT", "") for code in listed if code.isdigit()]
        for code in set(listed) - {"R-10214", "R-10218"}:
            assert code.isdigit() or any(Code(code, "SRT", "") == other for other in today), code


@pytest.mark.parametrize(("code", "scheme"), [(PA, "SCT"), ("R-40888", "SRT"), ("R-10214", "SNM3"), ("r-10214", "99sdm")])
def test_view_code_is_read_in_each_scheme(code, scheme):
    assert find_view(header(code, scheme)) == ViewFinding("PA", "ViewCodeSequence")


def test_code_of_a_private_scheme_tells_nothing():
    assert find_view(header(PA, "99MAKER")) == ViewFinding("unknown", "", UNKNOWN)


@pytest.mark.parametrize(
    ("dataset", "finding"),
    [
        (header(PA, ViewPosition="PA", PatientOrientation=["L", "F"]), ViewFinding("PA", "ViewCodeSequence")),
        (header(ViewPosition="AP"), ViewFinding("AP", "ViewPosition")),
        (header(PatientOrientation=["L", "F"]), ViewFinding("unknown", "PatientOrientation")),
        (header(PatientOrientation=["FR", "L"]), ViewFinding("unknown", "PatientOrientation")),
        (header(PatientOrientation=["A", "F"]), ViewFinding("LATERAL", "PatientOrientation")),
        (header(PatientOrientation=["p", "h"]), ViewFinding("LATERAL", "PatientOrientation")),
        (header(PatientOrientation=["L", "P"]), ViewFinding("unknown", "", UNKNOWN)),
        (header(PatientOrientation=["L", ""]), ViewFinding("unknown", "", UNKNOWN)),
        (header(PatientOrientation="L"), ViewFinding("unknown", "", UNKNOWN)),
        (header(PatientOrientation=["LINDA", "HUBER"]), ViewFinding("unknown", "", UNKNOWN)),
        (header(SeriesDescription="Thorax pa"), ViewFinding("PA", "descriptions")),
        (header(StudyDescription="Thorax ap im Liegen"), ViewFinding("AP", "descriptions")),
        (header(SeriesDescription="Chest", StudyDescription="Chest PA and lateral"), ViewFinding("unknown", "", UNKNOWN)),
        (Dataset(), ViewFinding("unknown", "", UNKNOWN)),
    ],
)
def test_first_attribute_that_tells_counts(dataset, finding):
    assert find_view(dataset) == finding


@pytest.mark.parametrize(
    ("dataset", "finding"),
    [
        (header(PA, ViewPosition="AP"), ViewFinding("PA", "ViewCodeSequence", CONTRADICTION)),
        (header(LATERAL, ViewPosition="PA"), ViewFinding("LATERAL", "ViewCodeSequence", CONTRADICTION)),
        (header(ViewPosition="PA", PatientOrientation=["A", "F"]), ViewFinding("PA", "ViewPosition", CONTRADICTION)),
        (header(ViewPosition="LL", PatientOrientation=["L", "F"]), ViewFinding("LATERAL", "ViewPosition", CONTRADICTION)),
        (header(ViewPosition="PA", SeriesDescription="Thorax liegend"), ViewFinding("PA", "ViewPosition", CONTRADICTION)),
        (header(SeriesDescription="PA", ProtocolName="LAT"), ViewFinding("PA", "descriptions", CONTRADICTION)),
        (header(FRONTAL, ViewPosition="LL"), ViewFinding("unknown", "ViewCodeSequence", CONTRADICTION)),
        (
            header(ViewPosition="RAO", SeriesDescription="PA"),
            ViewFinding("unknown", "ViewPosition", (*CONTRADICTION, *UNKNOWN)),
        ),
    ],
)
def test_attributes_that_exclude_each_other_are_flagged(dataset, finding):
    assert find_view(dataset) == finding


@pytest.mark.parametrize(
    ("dataset", "finding"),
    [
        (header(FRONTAL, ViewPosition="AP"), ViewFinding("AP", "ViewPosition")),
        (header(PatientOrientation=["L", "F"], SeriesDescription="a.p."), ViewFinding("AP", "descriptions")),
        (header(PatientOrientation=["L", "F"], StudyDescription="CHEST PA"), ViewFinding("PA", "descriptions")),
        (header(ViewPosition="LLD", SeriesDescription="AP"), ViewFinding("AP", "descriptions")),
    ],
)
def test_frontal_view_becomes_pa_or_ap_by_a_later_attribute(dataset, finding):
    assert find_view(dataset) == finding


@pytest.mark.parametrize("attributes", [{"ViewPosition": "AP"}, {"PatientOrientation": ["L", "F"], "ProtocolName": "AP"}])
def test_what_was_ordered_contradicts_nothing_about_the_image(attributes):
    finding = find_view(header(StudyDescription="CHEST PA", RequestedProcedureDescription="Chest lateral", **attributes))
    assert (finding.view, finding.codes) == ("AP", ())


def test_order_of_a_lateral_view_makes_no_frontal_image_lateral():
    dataset = header(PatientOrientation=["L", "F"], StudyDescription="Chest lateral")
    assert find_view(dataset) == ViewFinding("unknown", "PatientOrientation")


def test_oblique_view_is_neither_frontal_nor_lateral():
    assert find_view(header("399135007")) == ViewFinding("unknown", "ViewCodeSequence", UNKNOWN)
    assert find_view(header(ViewPosition="RLO")) == ViewFinding("unknown", "ViewPosition", UNKNOWN)


LINE = st.text(max_size=30) | st.sampled_from(["PA", "AP", "LAT", "RAO", "Thorax pa", "LLD", "L", "F", "A"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_header_gives_a_finding_without_its_texts(data):
    dataset = header(data.draw(LINE), data.draw(st.sampled_from(["SCT", "SRT"]) | st.text(max_size=9)))
    for name in ("ViewPosition", *IMAGE_TEXTS, *ORDER_TEXTS):
        if data.draw(st.booleans()):
            setattr(dataset, name, data.draw(LINE))
    dataset.PatientOrientation = data.draw(st.lists(LINE, max_size=3))
    finding = find_view(dataset)
    assert finding.view in VIEWS
    assert finding.told_by in TELLERS
    assert set(finding.codes) <= {"view-contradiction", "view-unknown"} <= set(CODES)
    assert finding.view == "unknown" or "view-unknown" not in finding.codes
