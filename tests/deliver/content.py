"""A report's content as plain values, read without the code that wrote it."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset


def items(node: Dataset, meaning: str) -> list[Dataset]:
    """The items directly below with a name of that meaning."""
    return [item for item in node.get("ContentSequence", []) if item.ConceptNameCodeSequence[0].CodeMeaning == meaning]


def value(item: Dataset) -> object:
    """What an item says: number, text or the meaning of a code."""
    if item.ValueType == "NUM":
        return float(item.MeasuredValueSequence[0].NumericValue)
    if item.ValueType == "CODE":
        return item.ConceptCodeSequence[0].CodeMeaning
    if item.ValueType == "IMAGE":
        return item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    return item.TextValue


def groups(report: Dataset) -> Iterator[dict[str, list[object]]]:
    """Each measurement group: values by the meaning of their names."""
    (container,) = items(report, "Imaging Measurements")
    for group in items(container, "Measurement Group"):
        told: dict[str, list[object]] = {}
        for item in group.ContentSequence:
            if item.ValueType != "UIDREF":
                told.setdefault(item.ConceptNameCodeSequence[0].CodeMeaning, []).append(value(item))
        yield told


def explanations(report: Dataset) -> dict[str, list[object]]:
    """The maps that the groups refer to, by finding."""
    return {str(group["Finding"][0]): group["Visual explanation"] for group in groups(report) if "Visual explanation" in group}


def evidence(report: Dataset) -> set[str]:
    """Instance UIDs of all that the report says it goes by."""
    studies = report.CurrentRequestedProcedureEvidenceSequence
    series = [each for study in studies for each in study.ReferencedSeriesSequence]
    return {str(item.ReferencedSOPInstanceUID) for each in series for item in each.ReferencedSOPSequence}


def comments(report: Dataset) -> str:
    """All sentences at the top."""
    return "\n".join(str(value(item)) for item in items(report, "Comment"))
