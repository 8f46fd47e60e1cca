from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxr.ingest.label_audit.bits import pack_codes
from cxr.ingest.label_audit.contradictions import find_contradictions
from cxr.labels.label_set import Label, LabelSet

NAMES = ("normal", "opacity", "consolidation", "pneumonia")
ABOVE = {"consolidation": ["opacity"], "pneumonia": ["consolidation", "opacity"]}


def a_set(blank="unknown"):
    return LabelSet(
        name="set",
        labels=(
            Label(name="normal", excludes=("opacity", "pneumonia")),
            Label(name="opacity", blank=blank, excludes=("normal",)),  # both say so: one rule
            Label(name="consolidation", parent="opacity"),
            Label(name="pneumonia", parent="consolidation"),
        ),
    )


def found_in(codes, labels):
    codes = np.asarray(codes, np.int8).reshape(-1, 4)
    ids = pd.Series([f"i{row}" for row in range(len(codes))], dtype="str")
    return find_contradictions(ids, pack_codes(codes), labels)


def by_loop(codes, blank):
    """Every contradiction, image by image, with plain Python."""
    for row, cells in enumerate(codes):
        said = dict(zip(NAMES, cells, strict=True))
        for child, parents in ABOVE.items():
            for parent in parents:
                if said[child] == 1 and said[parent] == 0:
                    yield f"i{row}", child, parent, "parent-negative"
                if said[child] == 1 and said[parent] == 4 and parent == "opacity" and blank == "negative":
                    yield f"i{row}", child, parent, "parent-blank-as-negative"
        for other in ("opacity", "pneumonia"):
            if said["normal"] == 1 and said[other] == 1:
                yield f"i{row}", "normal", other, "excluded"


@given(
    hnp.arrays(np.int8, st.tuples(st.integers(0, 70), st.just(4)), elements=st.integers(0, 4)),
    st.sampled_from(["unknown", "negative"]),
)
def test_every_contradiction_is_listed_and_nothing_else(codes, blank):
    found = found_in(codes, a_set(blank))
    listed = [tuple(row) for table in found.tables() for row in table.itertuples(index=False)]
    expected = list(by_loop(codes.tolist(), blank))
    assert Counter(listed) == Counter(expected)
    assert found.count == len(expected)
    assert found.images() == len({row[0] for row in expected})
    for kind in ("parent-negative", "parent-blank-as-negative", "excluded"):
        assert found.images(kind) == len({row[0] for row in expected if row[3] == kind})


@pytest.mark.parametrize(
    ("cells", "kinds"),
    [
        ([4, 0, 4, 1], ["parent-negative"]),  # pneumonia without opacity, whatever of consolidation
        ([4, 0, 1, 4], ["parent-negative"]),
        ([4, 1, 1, 1], []),
        ([4, 2, 1, 4], []),  # uncertain above: the milder count
        ([4, 4, 1, 4], []),
        ([1, 1, 4, 4], ["excluded"]),
        ([1, 0, 0, 0], []),
        ([2, 1, 4, 4], []),
    ],
)
def test_what_contradicts_and_what_does_not(cells, kinds):
    assert [one.rule.kind for one in found_in([cells], a_set()).broken] == kinds


def test_the_policy_for_blank_cells_can_make_a_contradiction():
    found = found_in([[4, 4, 1, 4]], a_set("negative"))
    assert [(one.rule.kind, one.rule.label, one.rule.other) for one in found.broken] == [
        ("parent-blank-as-negative", "consolidation", "opacity")
    ]


def test_what_is_said_above_a_positive_label_is_counted_by_cell():
    found = found_in([[4, code, 1, 4] for code in (0, 1, 2, 3, 4, 4)], a_set())
    one = next(one for one in found.hierarchy if (one.child, one.parent) == ("consolidation", "opacity"))
    cells = one.cells
    assert (cells.positive, cells.negative, cells.uncertain, cells.blank, cells.unlabelled) == (1, 1, 1, 2, 1)


def test_the_first_images_are_given_as_examples():
    found = found_in([[4, 4, 4, 4]] * 70 + [[1, 1, 4, 4]] * 5, a_set())
    assert found.examples(found.broken[0], 3) == ["i70", "i71", "i72"]
