"""How often intervals of 95 % hold the true AUROC where patients have several images that resemble each other.

    python benchmarks/interval_coverage.py [--simulations 1000] [--resamples 1000] [--setting 0 1 2 ...]

Patients have one image or more (geometric, four on average). Finding and score of an image both come from a part shared by
the patient's images (0.6 of the variance) and one of its own; a finding is where the first lies above a limit, and raises
the score by a shift. The score's noise does not depend on the finding, so that the true AUROC over images is
norm.cdf(shift / sqrt 2). Each simulated table gets these intervals: the bootstrap by patient as evaluation takes it
(on the logit scale), and its percentiles; the bootstrap by image; and DeLong's, which takes the images for independent as well.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from scipy.stats import norm

from cxr.evaluate.auroc import auroc
from cxr.evaluate.bootstrap import auroc_interval, percentile_interval, resampled_aurocs
from cxr.evaluate.cells import Cells
from cxr.evaluate.delong import delong_interval
from cxr.evaluate.interval import Interval
from cxr.evaluate.undefined import Undefined

CONFIDENCE, IMAGES, SHARED = 0.95, 4, 0.6


class Setting(NamedTuple):
    patients: int
    prevalence: float
    auroc: float


SETTINGS = (
    Setting(600, 0.10, 0.80),
    Setting(1200, 0.10, 0.80),
    Setting(1200, 0.05, 0.85),
    Setting(2400, 0.05, 0.80),
    Setting(2400, 0.02, 0.90),
    Setting(300, 0.05, 0.85),
)


def simulate(setting: Setting, rng: np.random.Generator) -> Cells:
    owners = np.repeat(np.arange(setting.patients), rng.geometric(1 / IMAGES, setting.patients))

    def clustered() -> np.ndarray:
        shared, own = rng.normal(size=setting.patients)[owners], rng.normal(size=len(owners))
        return SHARED**0.5 * shared + (1 - SHARED) ** 0.5 * own

    finding = clustered() > norm.ppf(1 - setting.prevalence)
    scores = clustered() + finding * norm.ppf(setting.auroc) * 2**0.5
    truth = finding[:, np.newaxis].astype(np.float32)
    return Cells(("finding",), truth, scores[:, np.newaxis], np.zeros(truth.shape, bool), owners)


def intervals(cells: Cells, resamples: int, seed: int) -> dict[str, Interval | Undefined]:
    def bootstrap(owners: np.ndarray) -> np.ndarray:
        return resampled_aurocs(replace(cells, patients=owners), resamples, seed)[:, 0]

    value = auroc(cells.truth[:, 0], cells.scores[:, 0])
    by_patient = bootstrap(cells.patients)
    return {
        "by patient": auroc_interval(value, by_patient, CONFIDENCE).interval,
        "  percentiles": percentile_interval(by_patient, CONFIDENCE).interval,
        "by image": auroc_interval(value, bootstrap(np.arange(cells.image_count)), CONFIDENCE).interval,
        "DeLong": delong_interval(cells.truth[:, 0], cells.scores[:, 0], CONFIDENCE),
    }


def measure(setting: Setting, simulations: int, resamples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found: dict[str, list[Interval | Undefined]] = {}
    positives, with_finding = [], []
    for number in range(simulations):
        cells = simulate(setting, rng)
        positives.append(int(cells.truth.sum()))
        with_finding.append(cells.patients_where(cells.truth[:, 0] == 1))
        for name, interval in intervals(cells, resamples, number).items():
            found.setdefault(name, []).append(interval)
    print(
        f"{setting.patients} patients, {IMAGES} images each on average, true AUROC {setting.auroc}; "
        f"{np.median(positives):.0f} positive images of {np.median(with_finding):.0f} patients"
    )
    for name, each in found.items():
        print(f"  {name:13}  {told(each, setting.auroc)}", flush=True)


def told(each: list[Interval | Undefined], true: float) -> str:
    bounds = np.array([(interval.low, interval.high) for interval in each if not isinstance(interval, Undefined)])
    above, below = (bounds[:, 0] > true).mean(), (bounds[:, 1] < true).mean()
    undefined = f", {len(each) - len(bounds)} undefined" if len(bounds) < len(each) else ""
    width = np.median(bounds[:, 1] - bounds[:, 0])
    return f"covers {1 - above - below:.1%}, too high {above:.1%}, too low {below:.1%}, median width {width:.3f}{undefined}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--setting", type=int, nargs="+", default=range(len(SETTINGS)), help="which of the settings")
    given = parser.parse_args()
    print(f"{datetime.now():%Y-%m-%d}, {given.simulations} simulations, {given.resamples} resamples, nominal {CONFIDENCE:.0%}")
    for place in given.setting:
        measure(SETTINGS[place], given.simulations, given.resamples, place)


if __name__ == "__main__":
    main()
