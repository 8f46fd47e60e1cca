"""Which disease maps are wanted of the scored files, and the folder that they go to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxr.errors import ConfigError, CxrError, DataError
from cxr.predict.inputs import Input, refuse_place
from cxr.predict.networks import Networks

_ALL = "all"


@dataclass(frozen=True)
class WantedMaps:
    """What a user says of maps.

    Args:
        folder: where the pictures go.
        of: labels with commas between them; "all"; None: on each image those that are a yes.
    """

    folder: Path
    of: str | None = None


def check_folder(folder: Path, out: Path, inputs: Sequence[Input]) -> None:
    """Refuse a place that pictures cannot go to, before anything is read.

    Args:
        folder: for the pictures.
        out: of the answer.
        inputs: what is read.

    Raises:
        ConfigError: something is there, there is no folder to make it in, or it would hold the answer or lie in an input.
    """
    place = folder.resolve()
    if not place.parent.is_dir():
        raise ConfigError(f"--maps: there is no folder {folder.parent}")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ConfigError(f"--maps: {folder}: is there, and not an empty folder; name another one")
    if out.resolve().is_relative_to(place):
        raise ConfigError(f"--out: {out}: lies in the folder of --maps; choose another place")
    refuse_place(folder, inputs, "--maps")


def labels_of(wanted: WantedMaps, networks: Networks) -> tuple[str, ...] | None:
    """The labels whose maps are wanted, in the model's order; None: on each image those that are a yes.

    Raises:
        ConfigError: one is no label of the model, or nothing is a yes since nothing is calibrated.
        DataError: the model has no maps.
    """
    card = networks.first.card
    blank = np.zeros((1, card.preprocessing.size, card.preprocessing.size), np.uint8)
    try:
        networks.first.maps(blank)
    except DataError as error:
        raise DataError(f"--maps: {error}") from error
    names = card.labels.names
    if wanted.of is None:
        if networks.calibration is None:
            raise ConfigError("--maps with --uncalibrated: nothing is a yes or a no; name the labels with --maps-of")
        return None
    given = [wanted.of] if wanted.of in names else [part.strip() for part in wanted.of.split(",")]
    unknown = [name for name in given if name not in names]
    if unknown and given != [_ALL]:
        raise ConfigError(f"--maps-of: the model has no label '{unknown[0]}'; it has: {', '.join(names)}")
    return names if unknown else tuple(name for name in names if name in given)


@contextmanager
def appearing_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which appears under its name when all went well, and is gone otherwise.

    Raises:
        CxrError: it cannot be made or filled.
    """
    place = folder.resolve()
    try:
        # a name of its own: on a shared disk another machine's process may have the same number
        with tempfile.TemporaryDirectory(
            prefix=f".{place.name}.", suffix=".partial", dir=place.parent, ignore_cleanup_errors=True
        ) as beside:
            partial = Path(beside, "new")
            partial.mkdir()
            yield partial
            os.replace(partial, place)
    except OSError as error:
        raise CxrError(f"{folder}: cannot be written: {error.strerror or type(error).__name__}") from error
