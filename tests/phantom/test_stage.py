from __future__ import annotations

from cxr.config import PhantomStage
from cxr.phantom.findings import FINDINGS
from cxr.phantom.stage import run
from cxr.stage import StageContext


def test_stage_writes_the_cohort_and_counts_it(source, tmp_path):
    seen = []
    context = StageContext(tmp_path, {}, None, lambda done, total, text="": seen.append((done, total)))
    result = run(PhantomStage(seed=2, source=source), context)
    files = list((tmp_path / "dicom").rglob("*.dcm"))
    assert len(files) == result.counts["images"] + result.counts["broken_files"] == len(seen)
    assert result.counts["patients"] == source.patients
    assert result.counts["broken_files"] == source.broken_files
    assert [row[0] for row in result.table[1:]] == list(FINDINGS)
    assert all(isinstance(value, int) for value in result.counts.values())
    assert (tmp_path / "dicom" / "labels.csv").is_file()
