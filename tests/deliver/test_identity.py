"""Whose result it is: the source's own patient and study, in any character set, and never another's."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from cxr.deliver.encode import encode
from tests.serve.models import chest

NAMES = {
    "ISO_IR 192": "Ngũ^Mai=山田^太郎",
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 144": "Иванов^Пётр",
    "ISO_IR 126": "Παπαδόπουλος^Νίκος",
    "GB18030": "Wang^XiaoDong=王^小东",
    ("", "ISO 2022 IR 87"): "Yamada^Tarou=山田^太郎",
    ("", "ISO 2022 IR 149"): "Hong^Gildong=洪^吉洞=홍^길동",
}


def file_of(characters: object, name: str) -> bytes:
    dataset = pydicom.dcmread(BytesIO(chest(2)))
    dataset.SpecificCharacterSet = list(characters) if isinstance(characters, tuple) else characters
    dataset.PatientName = name
    dataset.ReferringPhysicianName = name
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", name.partition("^")[0]
    deeper = Dataset()
    deeper.CodeValue, deeper.CodingSchemeDesignator, deeper.CodeMeaning = "2", "99X", name.partition("^")[0]
    code.EquivalentCodeSequence = [deeper]
    dataset.ProcedureCodeSequence = [code]
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


@pytest.mark.parametrize(("characters", "name"), NAMES.items())
def test_a_name_survives_whatever_characters_it_is_written_in(deliver, characters, name):
    objects = deliver([file_of(characters, name)], maps=["positive"]).objects
    assert len(objects) > 1
    for each in objects:
        again = pydicom.dcmread(BytesIO(encode(each)))
        assert again.SpecificCharacterSet == "ISO_IR 192"
        assert (again.PatientName, again.ReferringPhysicianName) == (name, name)
        code = again.ProcedureCodeSequence[0]
        assert (code.CodeMeaning, code.EquivalentCodeSequence[0].CodeMeaning) == (name.partition("^")[0],) * 2


def test_patient_and_study_are_those_of_the_source_and_series_and_instance_are_new(deliver):
    source = pydicom.dcmread(BytesIO(chest(3)))
    objects = deliver([chest(3)], maps=["positive"]).objects
    same = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyID")
    more = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyDescription")
    for each in objects:
        for name in (*same, *more):
            assert each[name].value == source[name].value
        assert each.SeriesInstanceUID != source.SeriesInstanceUID
        assert each.SOPInstanceUID != source.SOPInstanceUID
    assert len({each.SeriesInstanceUID for each in objects}) == 2  # of reports, of maps
    assert len({each.SOPInstanceUID for each in objects}) == len(objects)


def test_odd_values_are_taken_over_as_they_stand(report):
    found = report(chest(0, PatientSex="female", PatientBirthDate="1971-09-07", StudyTime="noon", PatientID="x" * 70))
    again = pydicom.dcmread(BytesIO(encode(found)))
    assert (again.PatientSex, str(again.PatientBirthDate), str(again.StudyTime)) == ("female", "1971-09-07", "noon")
    assert again.PatientID == "x" * 70


def test_what_the_source_does_not_say_is_there_and_empty(report):
    found = report(chest(0, AccessionNumber="", PatientBirthDate="", StudyID=""))
    assert (found.AccessionNumber, found.PatientBirthDate, found.StudyID) == ("", "", "")


def test_a_name_that_cannot_be_read_is_no_name_to_write_on_a_report(deliver):
    broken = chest(0).replace(b"PHANTOM^0000", b"PHANTOM\xff\xfe\xfd00")
    found = deliver([broken])
    assert found.objects == []
    assert "cannot be read in the character set" in found.deliveries[0].problem


def test_files_of_two_patients_in_one_study_are_reported_for_none(deliver):
    found = deliver([chest(0, StudyInstanceUID="1.2", PatientID="A"), chest(1, StudyInstanceUID="1.2", PatientID="B")])
    assert found.objects == []
    assert found.deliveries[0].problem == "its files name different patients (PatientID)"


def test_no_message_names_a_patient(deliver, recwarn, caplog):
    deliver([chest(0, PatientName="Geheim", PatientID="Geheim" * 20, PatientSex="Geheim", StudyDate="Geheim")])
    assert "Geheim" not in "".join(str(each.message) for each in recwarn)
    assert "Geheim" not in caplog.text
