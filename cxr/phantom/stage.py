"""The phantom stage: a synthetic cohort, written as DICOM files for the ingest stage to read."""

from __future__ import annotations

from cxr.config import PhantomStage
from cxr.phantom.cohort import write_cohort
from cxr.phantom.findings import FINDINGS
from cxr.phantom.plan import CohortPlan
from cxr.stage import StageContext, StageResult


def run(config: PhantomStage, context: StageContext) -> StageResult:
    """Write the cohort into the stage's folder; see `cxr.phantom.cohort` for what it then holds.

    Raises:
        OSError: a file cannot be written.
    """
    plan = write_cohort(context.folder, config.source, config.seed, context.progress)
    counts = _counts(plan)
    images = counts["images"]
    rows = [(name, str(counts[f"positives_{name}"]), f"{counts[f'positives_{name}'] / images:.0%}") for name in FINDINGS]
    return StageResult(
        counts=counts,
        headline=f"{images} radiographs of {counts['patients']} patients, {counts['broken_files']} broken files beside them",
        table=(("finding", "images", "share"), *rows),
    )


def _counts(plan: CohortPlan) -> dict[str, int]:
    counts = {
        "patients": len({image.examination.patient for image in plan.good}),
        "images": len(plan.good),
        "broken_files": len(plan.broken),
        "without_finding": sum(not image.severities for image in plan.good),
    }
    return counts | {f"positives_{name}": sum(name in image.severities for image in plan.good) for name in FINDINGS}
