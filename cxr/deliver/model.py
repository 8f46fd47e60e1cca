"""What a report says about the model: its name, its version, and how its scores become decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxr import __version__
from cxr.calibrate.calibration import Calibration, PointOrReason
from cxr.calibrate.wording import headline
from cxr.errors import ConfigError
from cxr.labels.label_set import LabelSet
from cxr.model.card import read_card, weights_digest
from cxr.predict.files import calibration_of
from cxr.predict.networks import EXPORTED


@dataclass(frozen=True)
class ReportedModel:
    """A model as reports name it.

    Args:
        backbone: of its network.
        run_id: the tracked run that trained it.
        weights: SHA-256 of its weights.
        labels: what it looks for.
        calibration: how its scores become probabilities, and these decisions.
    """

    backbone: str
    run_id: str
    weights: str
    labels: LabelSet
    calibration: Calibration

    @property
    def name(self) -> str:
        """Network and label set, like "cxr vit_small_patch16_224 chexpert"."""
        return f"cxr {self.backbone} {self.labels.name}"

    @property
    def version(self) -> str:
        """Like "run 0a1b2c3d, weights 4e5f6a7b8c9d"."""
        return f"run {self.run_id}, weights {self.weights[:12]}"

    @property
    def identity(self) -> tuple[str, ...]:
        """Everything that the numbers of a report follow from, but the images: UIDs are derived from it."""
        return (self.weights, self.run_id, self.calibration.to_json(), self.labels.model_dump_json(), __version__)

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the numbers depend on, a sentence each."""
        return (f"label set: {self.labels.title or self.labels.name}", headline(self.calibration), f"cxr {__version__}")

    @property
    def point_name(self) -> str:
        """The operating point that says yes or no."""
        return self.calibration.config.points[0].name

    def scaled(self, label: str) -> bool:
        """Whether the score of a label was made a probability; else it is left as it is."""
        return label not in self.calibration.unscaled

    def point(self, label: str) -> PointOrReason:
        """That operating point of a label, or why there is none."""
        return self.calibration.labels[label].points[self.point_name]


def read_model(path: Path) -> ReportedModel:
    """What a calibrated model file says of itself.

    Raises:
        DataError: no model file, or none with a calibration.
        ConfigError: an exported file.
    """
    if path.suffix in EXPORTED:
        raise ConfigError(f"{path.name}: an exported file; a report names the model by its own weights: give the model file")
    card = read_card(path)
    return ReportedModel(card.model.backbone, card.run_id, weights_digest(path), card.labels, calibration_of(card, path))
