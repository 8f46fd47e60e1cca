"""Codes: SNOMED CT only where DICOM has it so, private ones that fit."""

from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts

from cxr.deliver import codes
from cxr.labels.concepts import read_concepts
from cxr.labels.label_set import Label

PUBLIC = [*codes.SNOMED.values(), codes.YES, codes.NO, codes.NOT_DECIDED, codes.COMMENT, codes.SOURCE, codes.RADIOGRAPHY]


@pytest.mark.parametrize("code", [*PUBLIC, codes.NO_UNIT, codes.NEURAL_NETWORK, codes.VISUAL_EXPLANATION], ids=str)
def test_every_public_code_means_in_dicom_what_it_is_used_for(code):
    known = {(value, told[0]) for entry in concepts[code.scheme_designator].values() for value, told in entry.items()}
    assert (code.value, code.meaning) in known


def test_every_concept_with_a_snomed_code_is_one_of_the_shared_concepts():
    assert set(codes.SNOMED) <= {concept.name for concept in read_concepts().concepts}


def test_labels_of_one_concept_have_one_code_and_others_have_others():
    vocabulary = read_concepts()
    effusion = [codes.code_of(Label(name=name), vocabulary) for name in ("Effusion", "Pleural Effusion")]
    assert [code.value for code in effusion] == ["60046008"] * 2
    nodule = [codes.code_of(Label(name=name), vocabulary) for name in ("Lung Opacity", "Opacity", "Mass")]
    assert nodule[0].value == nodule[1].value != nodule[2].value


def test_a_private_code_fits_whatever_the_label_is_called():
    code = codes.code_of(Label(name="Ödem " * 40), read_concepts())
    assert code.scheme_designator == "99CXR"
    assert len(code.value) <= 16
    assert len(code.meaning) <= 64
