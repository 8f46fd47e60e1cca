"""The page of a version: which data, which labels, how good, against what, and by which decisions it came into use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from cxr.decide.decision import Decision, LabelVerdict
from cxr.promote.candidate import Candidate
from cxr.promote.entry import Entry
from cxr.promote.grounds import Grounds
from cxr.promote.history import HEADING, as_long_as, markdown, markdown_row, rule
from cxr.promote.judge import SHORT
from cxr.tracking.runs import DataUsed

_MEAN = "test/auroc_macro"
_DECISIONS = 1500  # characters that are left for the decisions to come


def describe_facts(candidate: Candidate, grounds: Grounds) -> str:
    """What is known of a model when its version is made, and by what it is promoted, as Markdown.

    It is short enough for some decisions behind it.
    """
    decision, run = candidate.decision, candidate.run
    head = [
        f"**{markdown(decision.headline)}**",
        "",
        f"* **run**: {markdown(run.name)} ({run.run_id})",
        f"* **data**: {'; '.join(map(_data, _once(run.data))) or 'not told by the run'}",
        f"* **labels**: {markdown(decision.model.labels)}, {len(decision.labels)} labels",
        *_mean(candidate),
        f"* **against**: {_against(decision)}",
        f"* **rule**: {markdown(grounds.words)}",
        "",
        markdown_row(("label", "AUROC", "older model", "verdict")),
        rule(4),
    ]
    rows = [markdown_row(_label(verdict)) for verdict in decision.labels]
    return as_long_as(head, rows, "More labels: decision.html of the run.", spare=_DECISIONS)


def describe_decisions(text: str, decisions: Sequence[Entry]) -> str:
    """The page of a version with the decisions about it, the last one first.

    Args:
        text: the page as it is, with or without decisions.
        decisions: about the version, the first one first.
    """
    facts = text.partition(HEADING)[0].rstrip()
    lines = [f"* no. {entry.number}: {markdown(entry.line)}" for entry in reversed(decisions)]
    return as_long_as([facts, "", HEADING, ""], lines, "Older ones: `cxr promote --history`.")


def _once(data: Sequence[DataUsed]) -> Iterator[DataUsed]:
    """Each data set once, under the first of the names that a run has it under."""
    known: set[str] = set()
    for used in data:
        if used.digest not in known:
            known.add(used.digest)
            yield used


def _data(used: DataUsed) -> str:
    profile = json.loads(used.profile)
    counts = [f"{profile[key]:,} {key}" for key in ("images", "patients") if key in profile]
    return f"{markdown(used.name)}: {', '.join([*counts, f'digest {used.digest[:SHORT]}'])}"


def _mean(candidate: Candidate) -> list[str]:
    figures = candidate.run.metrics
    if _MEAN not in figures:
        return []
    low, high = figures.get(f"{_MEAN}_low"), figures.get(f"{_MEAN}_high")
    interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return [f"* **how good**: mean AUROC {figures[_MEAN]:.3f}{interval} on the test patients"]


def _against(decision: Decision) -> str:
    older, data = decision.older, f"test data {decision.test_data_sha256[:SHORT]}"
    if older is None:
        return f"no older model; {data}"
    model = f"trained in run {older.run_id}, labels {markdown(older.labels)}, weights {older.weights_sha256[:SHORT]}"
    if all(verdict.standing == "new" for verdict in decision.labels):
        return f"nothing: no label is the same in the older model ({model}); {data}"
    return f"the older model ({model}), on the same {data}"


def _label(verdict: LabelVerdict) -> tuple[str, ...]:
    figures = ("" if figure is None else f"{figure:.3f}" for figure in (verdict.auroc, verdict.older_auroc))
    return (verdict.label, *figures, verdict.standing)
