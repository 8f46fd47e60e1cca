from __future__ import annotations

import math

from cxr.ingest.audit.prevalence import LabelCounts, label_counts


def test_cells_are_counted_by_value(make_manifest):
    # the fixture's first label runs 0, 1, 2, 3; the second starts one later
    manifest = make_manifest([f"image-{index}" for index in range(5)], labels=("Mass", "Edema"))
    assert label_counts(manifest) == [LabelCounts("Mass", 1, 2, 1, 1), LabelCounts("Edema", 2, 1, 1, 1)]


def test_prevalence_is_of_the_known_cells():
    assert LabelCounts("Mass", 1, 3, 50, 50).prevalence == 0.25
    assert math.isnan(LabelCounts("Mass", 0, 0, 2, 3).prevalence)


def test_a_manifest_may_have_no_label(make_manifest):
    assert label_counts(make_manifest(["image-1"])) == []
