"""What scores the files of a command: one network of a model file or of an exported file, or a cascade of two."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from cxr.calibrate.calibration import Calibration
from cxr.errors import ConfigError, DataError
from cxr.ingest.store import Preprocessing
from cxr.model.card import ModelCard, read_card
from cxr.predict.files import calibration_of, network_of
from cxr.predict.read import preprocessing_of

if TYPE_CHECKING:
    from cxr.predict.cascade import Cascade
    from cxr.predict.predictor import Predictor

EXPORTED = (".onnx", ".pt2")
"""Ends of the names of exported files."""
_CASCADE = re.compile(r"(cascade of \d+ and \d+ attention heads): .*\((rule: [^,]*)(, cascade [0-9a-f]+)?\)")
"""As `cxr.predict.stacked` says it; model files of older versions do not tell which cascade of this rule it was."""


class Scorer(Protocol):
    """A model, ready to predict: `cxr.predict.predictor.Predictor`, or `cxr.export.exported.ExportedModel`."""

    @property
    def card(self) -> ModelCard: ...  # noqa: D102
    def check_preprocessing(self, preprocessing: Preprocessing, /) -> None: ...  # noqa: D102
    def probabilities(self, images: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float64]: ...  # noqa: D102
    def maps(self, images: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]: ...  # noqa: D102


@dataclass(frozen=True)
class Wanted:
    """What a user says of the network; at most one of the first three.

    Args:
        heads: number of attention heads.
        milliseconds: the widest network that scores one image alone in this time, measured on this machine.
        cascade: a file `cascade.json` of the stage predict.
        uncalibrated: give scores as they leave the network.
        device: where a model file computes.
    """

    heads: int | None = None
    milliseconds: float | None = None
    cascade: Path | None = None
    uncalibrated: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        given = [name for name in ("heads", "milliseconds", "cascade") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"--{given[0]} and --{given[1]}: choose one of them")


@dataclass(frozen=True)
class Networks:
    """What scores.

    Args:
        first: the network that every file is shown.
        second: the wide network of a cascade.
        cascade: when a study goes on to the second.
        calibration: of this network or cascade; None: its scores are not calibrated.
        words: which of the networks of a stacked model it is, as calibrations say it; empty where there is but one.
        remarks: what a user should know of the choice, a sentence each.
    """

    first: Scorer
    second: Scorer | None = None
    cascade: Cascade | None = None
    calibration: Calibration | None = None
    words: str = ""
    remarks: tuple[str, ...] = ()


def open_networks(path: Path, wanted: Wanted) -> Networks:
    """Open what a user wants of a model.

    Args:
        path: a model file, or an exported file.
        wanted: see there.

    Raises:
        DataError: it is neither; it cannot run so; it needs images as this version does not make them; or it has no
            calibration that was fitted to just this network, and calibrated probabilities are wanted.
        ConfigError: a choice of networks where there is but one.
    """
    found = _exported(path, wanted) if path.suffix in EXPORTED else _of_model_file(path, wanted)
    found.first.check_preprocessing(preprocessing_of(found.first.card))
    return found


def read_cascade(path: Path, labels: int) -> Cascade:
    """Read a cascade that the stage predict wrote.

    Args:
        path: `cascade.json`.
        labels: number of the model's labels.

    Raises:
        DataError: no such file, one that holds anything else, or one of a model with another number of labels.
    """
    from cxr.predict.cascade import Cascade

    try:
        cascade = Cascade.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        raise DataError(f"{path}: no cascade: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    if len(cascade.references) != labels:
        raise DataError(f"{path}: a cascade of {len(cascade.references)} labels; the model has {labels}")
    return cascade


def choose_heads(heads: Sequence[int], measure: Callable[[int], float], budget: float) -> tuple[int, str]:
    """The widest network within a budget, looked for from the narrowest one on until one is over it.

    One that is over it is measured once more, and the shorter time counts: what else runs here only makes it slower.

    Args:
        heads: numbers of attention heads, rising.
        measure: how many milliseconds a network takes for one image.
        budget: the most that it may take.

    Returns:
        Its number of attention heads, and a sentence that tells what was measured.

    Raises:
        DataError: none stays within it.
    """
    times: dict[int, float] = {}
    for count in heads:
        times[count] = measure(count)
        if times[count] > budget:
            times[count] = min(times[count], measure(count))
        if times[count] > budget:
            break
    within = [count for count in times if times[count] <= budget]
    if not within:
        raise DataError(
            f"--milliseconds {budget:g}: no network is as fast here; the narrowest has {heads[0]} attention heads and takes "
            f"{times[heads[0]]:.1f} ms"
        )
    measured = ", ".join(f"{count} heads {time:.1f} ms" for count, time in times.items())
    return within[-1], f"--milliseconds {budget:g}: one image alone takes with {measured}"


def _exported(path: Path, wanted: Wanted) -> Networks:
    if wanted.heads is not None or wanted.milliseconds is not None or wanted.cascade is not None:
        raise ConfigError(f"{path.name}: an exported file holds one network; export another one to run another")
    from cxr.export.exported import ExportedModel

    model = ExportedModel(path)
    return Networks(model, calibration=None if wanted.uncalibrated else calibration_of(model.card, path))


def _of_model_file(path: Path, wanted: Wanted) -> Networks:
    card = read_card(path)
    from cxr.device import choose_device  # torch, only for a file that needs it
    from cxr.predict.predictor import Predictor
    from cxr.predict.widths import milliseconds

    model = Predictor(path, choose_device(wanted.device))
    if not model.heads:
        _refuse_choice(wanted)
        return Networks(model, calibration=_fitting(card, path, wanted, ""))
    if wanted.cascade is not None:
        return _of_cascade(model, wanted.cascade, path, wanted)
    remarks: tuple[str, ...] = ()
    if wanted.milliseconds is not None:
        heads, told = choose_heads(model.heads, lambda count: milliseconds(model.at(count)), wanted.milliseconds)
        remarks = (told,)
    else:
        heads = wanted.heads or _calibrated_heads(card, wanted) or model.heads[-1]
    words = f"{heads} of {model.heads[-1]} attention heads"
    fitted = _fitting(card, path, wanted, words)
    return Networks(model.at(heads), calibration=fitted, words=words, remarks=remarks)


def _of_cascade(model: Predictor, given: Path, path: Path, wanted: Wanted) -> Networks:
    cascade = read_cascade(given, len(model.card.labels.names))
    narrow, wide = cascade.heads
    words = f"cascade of {narrow} and {wide} attention heads ({cascade.identity})"
    fitted = _fitting(model.card, path, wanted, words)
    remarks = (
        ()
        if fitted is None or _tells_cascade(fitted)
        else (
            "the model file does not tell the limit of its cascade, as older ones do not: whether this is the one that was "
            "calibrated was judged by its heads and its rule",
        )
    )
    return Networks(model.at(narrow), model.at(wide), cascade, fitted, words, remarks)


def _refuse_choice(wanted: Wanted) -> None:
    for name in ("heads", "milliseconds", "cascade"):
        if getattr(wanted, name) is not None:
            raise ConfigError(f"--{name}: the model has one network only; it is for models with stacked heads")


def _calibrated_heads(card: ModelCard, wanted: Wanted) -> int | None:
    """The network that was calibrated, which is the one to run where nothing else is said."""
    if wanted.uncalibrated or card.calibration is None:
        return None
    found = _CASCADE.fullmatch(card.calibration.network)
    if found is not None:
        raise DataError(
            f"the model was calibrated as a {found[1]}: give its cascade.json, "
            "which the stage predict wrote, with --cascade; or one network with --heads and --uncalibrated"
        )
    return network_of(card.calibration)


def _fitting(card: ModelCard, path: Path, wanted: Wanted, words: str) -> Calibration | None:
    """The calibration, if it is of just this network; None where none is wanted."""
    if wanted.uncalibrated:
        return None
    calibration = calibration_of(card, path)
    fitted = _CASCADE.sub(r"\1 (\2\3)", calibration.network)
    if fitted != (words if _tells_cascade(calibration) else re.sub(", cascade [0-9a-f]+", "", words)):
        raise DataError(
            f"the calibration in {path.name} was fitted to {_told(fitted)}, and does not hold for {_told(words)}; "
            "--uncalibrated gives raw scores, or calibrate that network: predict.heads or predict.cascade in its pipeline"
        )
    return calibration


def _tells_cascade(calibration: Calibration) -> bool:
    """Whether it tells which cascade it was fitted to, if it was to one."""
    found = _CASCADE.fullmatch(calibration.network)
    return found is None or found[3] is not None


def _told(words: str) -> str:
    return words or "the only network of a model that is not stacked"
