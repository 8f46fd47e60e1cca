"""A chest is known by words and codes as they are met, and nothing else passes for one."""

from __future__ import annotations

from functools import partial

import pytest
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from cxr.ingest.read import bodypart as module
from cxr.ingest.read.attributes import ORDER_TEXTS
from cxr.ingest.read.bodypart import shows_chest
from tests.ingest.read.conftest import header_with_code

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of each odd value

header = partial(header_with_code, "AnatomicRegionSequence")


@pytest.mark.parametrize(
    ("line", "chest"),
    [
        ("CHEST", True), ("thorax", True), ("LUNG", True), ("PORT CHEST", True), ("CHEST_1_VIEW", True), ("CHEST PA", True),
        ("THORAX AP", True), ("CHESTABDOMEN", True), ("Cor-Pulmo", True), ("HEART", True), ("ABDOMEN CHEST", True),
        ("HAND", False), ("ABDOMEN", False), ("KNEE", False), ("RIBS", False), ("TSPINE", False), ("THORACIC SPINE", False),
        ("Füße", False), ("Knöcherner Thorax", False), ("Hemithorax links", False), ("HEAD", False), ("PHANTOM", False),
        ("", None), ("WHOLEBODY", None), ("DOE JANE", None), ("UNKNOWN", None),
    ],
)  # fmt: skip
def test_body_part_examined_is_read_word_by_word(line, chest):
    assert shows_chest(header(BodyPartExamined=line)) is chest


@pytest.mark.parametrize(
    ("code", "scheme", "chest"),
    [
        ("51185008", "SCT", True), ("816094009", "SCT", True), ("T-D3000", "SRT", True), ("T-28000", "SNM3", True),
        ("85562004", "SCT", False), ("T-D8700", "SRT", False), ("38266002", "SCT", None), ("51185008", "99MAKER", None),
    ],
)  # fmt: skip
def test_region_code_is_read_where_the_body_part_tells_nothing(code, scheme, chest):
    assert shows_chest(header(code, scheme)) is chest
    assert shows_chest(header(code, scheme, BodyPartExamined="UNKNOWN")) is chest
    assert shows_chest(header(code, scheme, BodyPartExamined="CHEST")) is True


def test_every_region_of_the_standard_is_placed():
    listed = set((module._CHEST_CODES + module._OTHER_CODES).split())
    silent = {name for name in standard.cid4009.dir() if getattr(standard.cid4009, name).value not in listed}
    assert silent == {"EntireBody", "Trachea", "Esophagus", "EsophagusStomachAndDuodenum"}
    assert not set(module._CHEST_CODES.split()) & set(module._OTHER_CODES.split())


def test_every_older_code_means_a_region_of_the_same_kind():
    for table in (module._CHEST_CODES, module._OTHER_CODES):
        today = [Code(code, "SCT", "") for code in table.split() if code.isdigit()]
        for code in table.split():
            if not code.isdigit():
                assert any(Code(code, "SRT", "") == other for other in today), code


@pytest.mark.parametrize(
    ("attributes", "chest"),
    [
        ({"SeriesDescription": "Thorax pa"}, True),
        ({"SeriesDescription": "XR CHEST AND ABDOMEN"}, True),
        ({"StudyDescription": "XR CHEST"}, True),
        ({"StudyDescription": "XR PELVIS AND KNEE"}, False),
        ({"ProtocolName": "Hand dv"}, False),
        ({"SeriesDescription": "Hand", "StudyDescription": "Thorax und Hand"}, False),
        ({"SeriesDescription": "arm raised, call back"}, None),
        ({"SeriesDescription": "No Finding"}, None),
    ],
)
def test_descriptions_are_read_last_those_of_the_image_first(attributes, chest):
    assert shows_chest(header(**attributes)) is chest
    assert shows_chest(header(BodyPartExamined="CHEST", **attributes)) is True


@pytest.mark.parametrize("name", ORDER_TEXTS)
@pytest.mark.parametrize("order", ["Polytrauma: Thorax, Becken, HWS", "XR CHEST AND PELVIS", "ABDOMEN CHEST", "Lunge/Knie"])
def test_an_order_of_several_parts_does_not_tell_which_of_them_an_image_shows(name, order):
    assert shows_chest(header(**{name: order})) is None
    assert shows_chest(header(SeriesDescription="Thorax", **{name: order})) is True
    assert shows_chest(header(SeriesDescription="Becken", **{name: order})) is False


def test_an_order_of_several_parts_is_not_overruled_by_a_wider_one():
    several = {"PerformedProcedureStepDescription": "Thorax, Becken"}
    assert shows_chest(header(StudyDescription="Thorax", **several)) is None
    assert shows_chest(header(StudyDescription="Becken", **several)) is None
