"""The split stage: which patients train, validate and test. The test images leave in a file that training is never given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cxr.config import SplitStage
from cxr.config_sources import OfficialFiles
from cxr.ingest.table.layout import read_format
from cxr.manifest import SPLITS, Manifest, read_manifest
from cxr.profile import log_dataset
from cxr.split.balance import balance
from cxr.split.draw import drawn_split, folded_split
from cxr.split.frozen import absent, frozen_split, read_split, write_split
from cxr.split.official import OfficialNames, official_split, read_list
from cxr.split.older import older_split, refuse_known, refuse_seen, refuse_unrelated
from cxr.split.people import People, people_of
from cxr.split.split import Split, named
from cxr.stage import Question, StageContext, StageResult


def run(config: SplitStage, context: StageContext) -> StageResult:
    """Write `development.parquet` (train and val), `test.parquet`, `split.csv` and `counts.csv`.

    Raises:
        DataError: no split without a leak can be made, or a published list or a frozen split does not fit the images.
    """
    manifest = read_manifest(context.inputs["manifest"])
    people = people_of(manifest)
    split = _split(config, manifest, people)
    _check_older(config, manifest, people, split)
    whole = split.apply(manifest)
    _write(whole, ("train", "val"), context.folder / "development.parquet")
    _write(whole, ("test",), context.folder / "test.parquet")
    write_split(split, context.folder / "split.csv")
    counts = balance(whole)
    counts.to_csv(context.folder / "counts.csv")
    for side in SPLITS:
        log_dataset(context.run, f"manifest-{side}", side, whole.where(side))
    context.run.params({"split_sha256": split.digest, "official_lists": config.official is not None})
    for name in ("split.csv", "counts.csv"):
        context.run.artifact(context.folder / name)
    return _report(whole, counts, split, tuple(_warnings(config, whole, people, counts)))


def _split(config: SplitStage, manifest: Manifest, people: People) -> Split:
    how, seed, alike = config.split, config.seed, config.split.alike == "refuse"
    if config.official is not None:
        return official_split(manifest, people, _lists(config.official), how.val_fraction, seed, alike=alike)
    if how.frozen is not None:
        return frozen_split(manifest, people, read_split(how.frozen), how.new_patients, how.shares, seed, alike=alike)
    if config.older is not None and not config.other_patients:
        return older_split(manifest, people, read_split(config.older), how.shares, seed, alike=alike)
    if how.folds is not None:
        return folded_split(manifest, people, how.folds, how.fold, how.val_fraction, seed)
    return drawn_split(manifest, people, how.shares, seed)


def _check_older(config: SplitStage, manifest: Manifest, people: People, split: Split) -> None:
    """Whoever tested an older model must not teach this one, whatever fixed the split."""
    if config.older is not None:
        older = read_split(config.older)
        if config.other_patients:
            refuse_known(manifest, older)
            return
        refuse_unrelated(manifest, older)
        refuse_seen(split, people, older, alike=config.split.alike == "refuse")


def check(config: SplitStage) -> None:
    """Refuse lists and a frozen split that cannot be read, before the result of the last run is cleared.

    Raises:
        DataError: as `run` raises them.
    """
    if config.official is not None:
        _lists(config.official)
    for path in filter(None, (config.split.frozen, config.older)):
        read_split(path)


def _lists(files: OfficialFiles) -> OfficialNames:
    key_of = read_format(files.format).key_of
    val = read_list(files.val, key_of) if files.val else None
    return OfficialNames(read_list(files.train_val, key_of), read_list(files.test, key_of), val)


def _write(manifest: Manifest, sides: tuple[str, ...], path: Path) -> None:
    chosen = manifest.frame[manifest.frame["split"].isin(sides)].reset_index(drop=True)
    replace(manifest, frame=chosen).write(path)


def _warnings(config: SplitStage, manifest: Manifest, people: People, counts: pd.DataFrame) -> Iterator[str]:
    for side in SPLITS:
        for name in manifest.label_names:
            if not counts.loc[side, f"{name} positive"]:
                yield f"'{side}' has no positive image of {name}"
    if people.united:
        patients = [" and ".join(group) for group in people.united]
        yield f"{len(people.united)} times patients have pictures that look the same, and go to one side: {named(patients)}"
        yield from _torn(manifest, people)
    if config.split.frozen is not None and (gone := absent(manifest, read_split(config.split.frozen))):
        yield f"{gone} images of the frozen split are not among the images"
    if config.older is not None and not config.other_patients and (new := _newcomers(config.older, manifest)):
        yield f"{new} patients are not in the split of the older model; where no published list has them, they were drawn"


def _newcomers(older: Path, manifest: Manifest) -> int:
    known = manifest.frame["patient_id"].isin(read_split(older)["patient_id"])
    return int(manifest.frame.loc[~known, "patient_id"].nunique())


def _torn(manifest: Manifest, people: People) -> Iterator[str]:
    """Of published lists and frozen splits: persons whom they have on two sides, under two ids."""
    sides = manifest.frame.groupby(people.of_image)["split"].nunique()
    if torn := int((sides > 1).sum()):
        yield f"{torn} times such patients stand on more than one side, as the lists have them"


def _report(manifest: Manifest, counts: pd.DataFrame, split: Split, warnings: tuple[str, ...]) -> StageResult:
    numbers = {f"{side}_{what}": int(counts[what][side]) for side in SPLITS for what in ("images", "patients")}
    sides = ", ".join(f"{numbers[f'{side}_images']} {side}" for side in SPLITS)
    headline = f"{sides} images, no patient on two sides; split {split.digest[:12]}"
    answers: dict[Question, str] = {"data": f"{sides}, split {split.digest[:8]}"}
    return StageResult(numbers, headline, warnings=warnings, answers=answers)
