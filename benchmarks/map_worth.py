"""What the disease maps are worth: pointing game and energy inside, beside maps that know less and beside covered patches.

    python benchmarks/map_worth.py [--quickstart RUNS/quickstart] [--nih RUNS/nih14 --boxes BBox_List_2017.csv] [--occlusion 40]

Of the quick start's pipeline folder the validation and the test side against the cohort's masks, of one that was trained on NIH
images the test side against the published boxes. All that is compared is taken on the same pairs of image and finding, in one
run. Each line: the map's figure, that of the other map, and what is gained with its 95 % interval by patient.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from cxr.evaluate.undefined import Undefined
from cxr.localise.check import CheckFigures
from cxr.localise.figures import Difference, LabelFigures
from cxr.localise.judge import FIGURES, REFERENCES
from cxr.localise.localise import Asked, Localised, localise
from cxr.localise.side import Name
from cxr.localise.verdict import verdict


def nothing(done: int, total: int, text: str = "") -> None:
    """No progress is shown."""


def span(found: object) -> str:
    return "" if isinstance(found, Undefined) else f" ({found.low:+.3f} to {found.high:+.3f})"  # type: ignore[attr-defined]


def print_row(row: LabelFigures) -> None:
    print(f"  {row.label:14} {row.pairs:4} findings, {row.images:4} images, {row.patients:4} patients   {verdict(row)}")
    for name in FIGURES if not isinstance(row.figures, Undefined) else ():
        figure = row.figures[name]
        over = [(other, figure.over[other]) for other in REFERENCES]
        told = [(other, each) for other, each in over if isinstance(each, Difference)]
        texts = [f"{other} {each.reference:.3f} {each.value:+.3f}{span(each.span)}" for other, each in told]
        print(f"    {name:9} {figure.value:.3f}   {'   '.join(texts)}")


def print_check(row: CheckFigures) -> None:
    if not isinstance(row.means, Undefined):
        texts = [f"{name} {mean.value:.3f}{span(mean.span)}" for name, mean in row.means.items() if not name.endswith("_even")]
        print(f"  {row.label:14} {row.images:4} images   {'   '.join(texts)}")


def show(title: str, found: Localised, seconds: float) -> None:
    rows, columns = found.judged.grid
    print(f"\n{title}: maps of {rows} x {columns} cells, {seconds:.0f} s")
    for reason, count in found.judged.left_out.items():
        print(f"  left out {count}: {reason}")
    for row in found.labels:
        print_row(row)
    print(f"  covering patches: {found.cost}")
    for check in found.checks:
        print_check(check)


def measure(title: str, folder: Path, side: Name, occlusion: int, boxes: Path | None = None) -> None:
    masks = folder / "phantom" / "masks" if boxes is None else None
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        found = localise(Asked(folder, Path(out), boxes, masks, side, occlusion), nothing)
        show(title, found, time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quickstart", type=Path)
    parser.add_argument("--nih", type=Path)
    parser.add_argument("--boxes", type=Path)
    parser.add_argument("--occlusion", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.quickstart is not None:
        measure("quick start, validation", given.quickstart, "validation", given.occlusion)
        measure("quick start, test", given.quickstart, "test", given.occlusion)
    if given.nih is not None:
        measure("NIH, test", given.nih, "test", given.occlusion, given.boxes)


if __name__ == "__main__":
    main()
