"""Coded concepts of a report: SNOMED CT where DICOM itself names the code, else codes of the scheme 99CXR with their meaning.

A label has a SNOMED CT code only if its shared concept has one by that very name in the codes that DICOM uses (PS3.16). All
others are private: a code that a viewer does not know is shown by its meaning, a wrong one would be believed.
"""

from __future__ import annotations

import hashlib

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.coding import Code

from cxr.labels.concepts import Vocabulary
from cxr.labels.label_set import Label

SCHEME = "99CXR"
PROBABILITY = CodedConcept("probability", SCHEME, "Calibrated probability")
SCORE = CodedConcept("score", SCHEME, "Score, not calibrated")
THRESHOLD = CodedConcept("threshold", SCHEME, "Threshold of the operating point")
DECISION = CodedConcept("decision", SCHEME, "At or above the threshold")
NOT_SCORED = CodedConcept("not-scored", SCHEME, "Image not scored")
YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")
NOT_DECIDED = Code("373068000", "SCT", "Undetermined")
RADIOGRAPHY = Code("43468-8", "LN", "XR unspecified body region")
COMMENT = Code("121106", "DCM", "Comment")
SOURCE = Code("121112", "DCM", "Source of Measurement")
NO_UNIT = Code("1", "UCUM", "no units")
VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
NEURAL_NETWORK = Code("123110", "DCM", "Artificial Intelligence")
_LONGEST_MEANING = 64  # characters of a Code Meaning (PS3.5, VR LO)

SNOMED = {
    "aortic aneurysm": Code("67362008", "SCT", "Aortic aneurysm"),
    "cardiomegaly": Code("287272002", "SCT", "Cardiomegaly"),
    "central venous catheter": Code("52124006", "SCT", "Central venous catheter"),
    "endotracheal tube": Code("26412008", "SCT", "Endotracheal tube"),
    "heart failure": Code("84114007", "SCT", "Heart failure"),
    "pericardial effusion": Code("373945007", "SCT", "Pericardial effusion"),
    "pleural effusion": Code("60046008", "SCT", "Pleural effusion"),
    "pneumothorax": Code("36118008", "SCT", "Pneumothorax"),
    "pulmonary edema": Code("19242006", "SCT", "Pulmonary edema"),
    "pulmonary hypertension": Code("70995007", "SCT", "Pulmonary hypertension"),
}
"""By shared concept."""


def code_of(label: Label, vocabulary: Vocabulary) -> CodedConcept:
    """The code of a label: labels of one concept have one code, whatever their label sets call them.

    Raises:
        ConfigError: the label names a concept that there is not.
    """
    concept = vocabulary.concept_of(label)
    if concept in SNOMED:
        return CodedConcept.from_code(SNOMED[concept])
    told = (concept or label.name).casefold()
    value = f"F-{hashlib.sha256(told.encode()).hexdigest()[:12]}"  # a code value has at most 16 characters
    return CodedConcept(value, SCHEME, label.name[:_LONGEST_MEANING])


def scheme() -> CodingSchemeIdentificationItem:
    """What a file says of the private scheme."""
    return CodingSchemeIdentificationItem(SCHEME, "Findings and results of cxr")
