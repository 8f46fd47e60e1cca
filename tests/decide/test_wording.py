from __future__ import annotations

from cxr.decide.decision import Check
from cxr.decide.wording import answer_text


def check(part, label, holds):
    return Check(part=part, label=label, holds=holds, sentence="s")


def test_the_answer_names_each_part_that_fails_and_each_label_once():
    checks = [
        check("kept labels", "Mass", False),
        check("calibration", "Mass", None),
        check("subgroups", "Edema", False),
        check("subgroups", "Edema", False),
    ]
    assert answer_text(checks) == "may not be promoted: the rule fails on kept labels (Mass) and subgroups (Edema)"
    assert answer_text(checks[1:2]) == "may be promoted: no part of the rule fails"


def test_of_many_labels_the_first_few_are_named():
    checks = [check("calibration", f"L{number}", False) for number in range(8)]
    assert answer_text(checks).endswith("calibration (L0, L1, L2, L3, L4 and 3 more)")
