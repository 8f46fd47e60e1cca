"""A study's result as a DICOM Structured Report: Comprehensive SR by template TID 1500.

TID 1500 is what viewers and the IHE profile AI Results read; the CAD templates (TID 4100) want marks with outlines, which a
classifier does not give. Each label of an image is a measurement group (TID 1501): the finding, its probability, the threshold
and the decision there, the algorithm (TID 4019), and the images it is of. A yes answers "is the probability at or above the
threshold", not "is the finding present": that is for a physician to say. The maps of a label stand in its groups as "Visual
explanation", as in the groups of regions (TID 1410 and 1411).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from cxr.calibrate.thresholds import OperatingPoint
from cxr.deliver import codes
from cxr.deliver.capture import Capture
from cxr.deliver.identity import made_by, reference_to, take_over
from cxr.deliver.model import ReportedModel
from cxr.deliver.result import Finding, LeftOut, ScoredImage, StudyResult, Undeliverable
from cxr.deliver.uids import derived_uid
from cxr.deliver.wording import comments, left_out_text, point_text, series_text
from cxr.labels.concepts import Vocabulary

_DEVICE = CodedConcept("121007", "DCM", "Device")
_CONTAINS, _INFERRED = RelationshipTypeValues.CONTAINS, RelationshipTypeValues.INFERRED_FROM
_SERIES_NUMBER = 9101


def build_report(
    result: StudyResult, model: ReportedModel, vocabulary: Vocabulary, basis: str, captures: Sequence[Capture] = ()
) -> ComprehensiveSR:
    """The report of a study.

    Args:
        result: what was found.
        model: what found it.
        vocabulary: of shared concepts, for the codes of labels.
        basis: tells everything that the numbers follow from; with the same one and the same maps the report has the same UIDs.
        captures: the maps of the study that it refers to.

    Returns:
        A report of the study in its own series: unverified, preliminary, complete unless something was wrong with an image.

    Raises:
        Undeliverable: an image cannot be referred to, or the patient's name cannot be read.
    """
    evidence = _evidence(result)
    maps = [reference_to(capture.item) for capture in captures]
    with warnings.catch_warnings(action="ignore"):  # of odd values, which they quote, and which stay as they are
        report = ComprehensiveSR(
            evidence=[*evidence.values(), *maps],
            content=_content(result, model, vocabulary, frozenset(evidence), captures)[0],
            series_instance_uid=derived_uid("report series", result.study, *model.identity),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=derived_uid("report", result.study, basis, *(str(each.SOPInstanceUID) for each in maps)),
            instance_number=1,
            device_serial_number=model.weights[:12],
            series_description=series_text("findings", model),
            is_complete=not any(left.faulty for left in result.left_out),
            is_verified=False,
            coding_schemes=[codes.scheme()],
            **made_by(model),
        )
        take_over(report, result.images[0].header)
    return report


def _evidence(result: StudyResult) -> dict[str, Dataset]:
    """References to the images of the study, by instance UID; those left out only where they can be referred to."""
    references = {image.uid: reference_to(image.header) for image in result.images}
    for left in result.left_out:
        try:
            reference = reference_to(left.header) if left.header is not None else None
        except Undeliverable:  # the report tells the reason without a reference
            continue
        if reference is not None and reference.StudyInstanceUID == result.study:
            references.setdefault(str(reference.SOPInstanceUID), reference)
    return references


def _content(
    result: StudyResult, model: ReportedModel, vocabulary: Vocabulary, known: frozenset[str], captures: Sequence[Capture]
) -> MeasurementReport:
    content = MeasurementReport(
        observation_context=_observer(model),
        procedure_reported=codes.RADIOGRAPHY,
        imaging_measurements=_groups(result, model, vocabulary, captures),
    )
    items: ContentSequence = content[0].ContentSequence
    items.extend(_comment(text) for text in comments(result, model))
    items.extend(_left_out(left, known) for left in result.left_out)
    return content


def _observer(model: ReportedModel) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", *model.identity),
        name="cxr",
        manufacturer_name="cxr",
        model_name=model.name,
        serial_number=model.weights[:12],
    )
    return ObservationContext(observer_device_context=ObserverContext(_DEVICE, device))


def _groups(
    result: StudyResult, model: ReportedModel, vocabulary: Vocabulary, captures: Sequence[Capture]
) -> list[MeasurementsAndQualitativeEvaluations]:
    """A group per label: of each image, or of all together where they share their probabilities."""
    together = model.calibration.unit != "image"
    units = [result.images] if together else [(image,) for image in result.images]
    groups = []
    for number, images in enumerate(units, start=1):
        where = f", image {number} of {len(units)}" if len(units) > 1 else ""
        for finding in images[0].findings:
            group = _group(finding, where, images, model, vocabulary)
            group[0].ContentSequence.extend(_maps(finding, images, captures))
            groups.append(group)
    return groups


def _group(
    finding: Finding, where: str, images: Sequence[ScoredImage], model: ReportedModel, vocabulary: Vocabulary
) -> MeasurementsAndQualitativeEvaluations:
    label = next(label for label in model.labels.labels if label.name == finding.label)
    tracked = derived_uid("finding", finding.label, *(image.uid for image in images), *model.identity)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracked, identifier=f"{finding.label}{where}"),
        finding_type=codes.code_of(label, vocabulary),
        algorithm_id=AlgorithmIdentification(
            model.name, model.version, parameters=list(model.parameters), family=codes.NEURAL_NETWORK
        ),
        measurements=_numbers(finding, model),
        qualitative_evaluations=[QualitativeEvaluation(codes.DECISION, _decision(finding))],
        source_images=[SourceImageForMeasurementGroup(image.header.SOPClassUID, image.uid) for image in images],
    )
    group[0].ContentSequence.append(_comment(point_text(finding.label, model)))
    return group


def _maps(finding: Finding, images: Sequence[ScoredImage], captures: Sequence[Capture]) -> list[ContentItem]:
    """Where the label's branch looked on these images."""
    uids = {image.uid for image in images}
    items = [each.item for each in captures if each.label == finding.label and each.image in uids]
    return [
        ImageContentItem(codes.VISUAL_EXPLANATION, item.SOPClassUID, item.SOPInstanceUID, relationship_type=_CONTAINS)
        for item in items
    ]


def _numbers(finding: Finding, model: ReportedModel) -> list[Measurement]:
    # six decimals: a decimal string has 16 characters at most
    name = codes.PROBABILITY if model.scaled(finding.label) else codes.SCORE
    numbers = [Measurement(name, round(finding.probability, 6), codes.NO_UNIT)]
    point = model.point(finding.label)
    if isinstance(point, OperatingPoint):
        numbers.append(Measurement(codes.THRESHOLD, round(point.threshold, 6), codes.NO_UNIT))
    return numbers


def _decision(finding: Finding) -> Code:
    if finding.yes is None:
        return codes.NOT_DECIDED
    return codes.YES if finding.yes else codes.NO


def _comment(text: str) -> ContentItem:
    return TextContentItem(codes.COMMENT, text, _CONTAINS)


def _left_out(left: LeftOut, known: frozenset[str]) -> ContentItem:
    """An image that was not scored: the reason, inferred from the image where that can be referred to."""
    item = TextContentItem(codes.NOT_SCORED, left_out_text(left), _CONTAINS)
    if left.header is not None and str(left.header.get("SOPInstanceUID", "")) in known:
        image = ImageContentItem(codes.SOURCE, left.header.SOPClassUID, left.header.SOPInstanceUID, relationship_type=_INFERRED)
        item.ContentSequence = ContentSequence([image])
    return item
