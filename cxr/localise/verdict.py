"""What the figures of a label say, in a few words, by a plain rule on the energy inside."""

from __future__ import annotations

from cxr.evaluate.undefined import Undefined
from cxr.localise.figures import Difference, LabelFigures

RULE = (
    "A map gains over another where the energy inside is at least a fifth more, and the whole interval of the difference lies "
    "above 0. 'shows the finding': it gains over an even map, over the mean map of other patients, and over the maps of "
    "findings that the image does not have. 'shows something abnormal': over the first two. 'shows its usual place': over the "
    "even map, not over that of other patients. 'shows nothing': not even over the even map. What too few patients have is not "
    "compared, and the words say so."
)


def verdict(row: LabelFigures) -> str:
    """The words of `RULE` for a label, or why there are none."""
    if isinstance(row.figures, Undefined):
        return row.figures.reason
    over = row.figures["energy"].over
    gained = {name: isinstance(each, Difference) and each.gained for name, each in over.items()}
    if not gained["even"]:
        return "shows nothing"
    if isinstance(over["elsewhere"], Undefined):
        return "is not blind (other patients: not compared)"
    if not gained["elsewhere"]:
        return "shows its usual place"
    if isinstance(over["other"], Undefined):
        return "shows more than its usual place (other findings: not compared)"
    return "shows the finding" if gained["other"] else "shows something abnormal"
