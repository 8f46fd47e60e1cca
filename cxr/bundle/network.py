"""The network of a bundle: canonical images in, as MONAI hands images on, and calibrated probabilities out."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.scaling import Platt, Scaling, Temperature, logits
from cxr.export.network import Chosen, ExportedNetwork


class BundleNetwork(nn.Module):
    """A network with its calibration.

    Args:
        chosen: what is bundled.
    """

    def __init__(self, chosen: Chosen) -> None:
        super().__init__()
        self.network: ExportedNetwork = chosen.network
        calibration = chosen.card.calibration
        self.calibrated = nn.Identity() if calibration is None else Lines(calibration, chosen.card.labels.names)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities; of a network without calibration its scores.

        Args:
            images: float32 [batch, 1, size, size], whole numbers from 0 to 255.

        Returns:
            float64 [batch, labels] in [0, 1]; NaN throughout for an image with any other value, which is no canonical one.
        """
        probabilities: torch.Tensor = self.calibrated(self.scores(images))
        return probabilities

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """What `forward` gives, before calibration."""
        whole = ((images >= 0) & (images <= 255) & (images == images.round())).flatten(1).all(dim=1)
        shown = torch.where(whole[:, None, None, None], images, torch.zeros_like(images))
        scores: torch.Tensor = self.network(shown.squeeze(1).to(torch.uint8))[0]
        return torch.where(whole[:, None], scores, torch.full_like(scores, torch.nan))


class Lines(nn.Module):
    """Calibration as a layer; the formula is that of `cxr.calibrate.scaling`.

    Args:
        calibration: of the network.
        names: the labels, in the order of its outputs.
    """

    slope: torch.Tensor
    intercept: torch.Tensor
    fitted: torch.Tensor

    def __init__(self, calibration: Calibration, names: tuple[str, ...]) -> None:
        super().__init__()
        scalings = [calibration.labels[name].scaling for name in names]
        slopes, intercepts = zip(*map(_line, scalings), strict=True)
        self.register_buffer("slope", torch.tensor(slopes, dtype=torch.float64))
        self.register_buffer("intercept", torch.tensor(intercepts, dtype=torch.float64))
        self.register_buffer("fitted", torch.tensor([isinstance(each, Platt | Temperature) for each in scalings]))
        self.least, self.most = logits(np.array([0.0, 1.0])).tolist()

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """Probabilities float64 [batch, labels] of scores float64 [batch, labels] in [0, 1]."""
        lines = self.slope * torch.logit(scores).clamp(self.least, self.most) + self.intercept
        return torch.where(self.fitted, torch.sigmoid(lines), scores)


def _line(scaling: Scaling) -> tuple[float, float]:
    """Slope and intercept; any for scores that stay as they are."""
    if isinstance(scaling, Platt):
        return scaling.slope, scaling.intercept
    return (scaling.slope, 0.0) if isinstance(scaling, Temperature) else (1.0, 0.0)
