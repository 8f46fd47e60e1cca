"""The split stage: which patients train, validate and test. The test images leave in a file that training is never given."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from cxr.config import SplitStage
from cxr.errors import DataError
from cxr.labels.values import POSITIVE
from cxr.manifest import SPLITS, Manifest, read_manifest
from cxr.profile import log_dataset
from cxr.split.split import Split, drawn_split, official_split
from cxr.stage import StageContext, StageResult


def run(config: SplitStage, context: StageContext) -> StageResult:
    """Write `development.parquet` (train and val), `test.parquet` and `split.csv`.

    Raises:
        DataError: no split without a leak can be made, or a published list does not fit the images.
    """
    manifest = read_manifest(context.inputs["manifest"])
    split = _draw(config, manifest)
    whole = split.apply(manifest)
    _write(whole, ("train", "val"), context.folder / "development.parquet")
    _write(whole, ("test",), context.folder / "test.parquet")
    split.frame.to_csv(context.folder / "split.csv", index=False)
    counts = _counts(whole)
    counts.to_csv(context.folder / "counts.csv")
    for side in SPLITS:
        log_dataset(context.run, f"manifest-{side}", side, whole.where(side))
    context.run.params({"split_sha256": split.digest, "official_lists": config.test_list is not None})
    for name in ("split.csv", "counts.csv"):
        context.run.artifact(context.folder / name)
    return _report(whole, counts, split.digest)


def _draw(config: SplitStage, manifest: Manifest) -> Split:
    if config.train_val_list is None or config.test_list is None:
        return drawn_split(manifest, config.split.test_fraction, config.split.val_fraction, config.seed)
    train_val, test = read_list(config.train_val_list), read_list(config.test_list)
    return official_split(manifest, train_val, test, config.split.val_fraction, config.seed)


def read_list(path: Path) -> set[str]:
    """Image names without folder and suffix, from a list with one a line.

    Raises:
        DataError: the list is empty.
    """
    names = {PurePosixPath(line.strip()).stem for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    if not names:
        raise DataError(f"{path}: the list is empty")
    return names


def _write(manifest: Manifest, sides: tuple[str, ...], path: Path) -> None:
    chosen = manifest.frame[manifest.frame["split"].isin(sides)].reset_index(drop=True)
    Manifest(chosen, manifest.label_names).write(path)


def _counts(manifest: Manifest) -> pd.DataFrame:
    """Images, patients and positives per label, a row a side."""
    rows = {}
    for side in SPLITS:
        part = manifest.where(side)
        positives = (part.label_codes() == POSITIVE).sum(axis=0).tolist()
        patients = part.frame["patient_id"].nunique()
        rows[side] = {"images": len(part), "patients": patients, **dict(zip(part.label_names, positives, strict=True))}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def _report(manifest: Manifest, counts: pd.DataFrame, digest: str) -> StageResult:
    table = {str(side): {str(what): int(count) for what, count in row.items()} for side, row in counts.to_dict("index").items()}
    empty = [f"'{side}' has no positive image of {n}" for side in SPLITS for n in manifest.label_names if not table[side][n]]
    sides = ", ".join(f"{table[side]['images']} {side}" for side in SPLITS)
    numbers = {f"{side}_{what}": table[side][what] for side in SPLITS for what in ("images", "patients")}
    return StageResult(numbers, f"{sides} images, no patient on two sides; split {digest[:12]}", warnings=tuple(empty))
