"""Where the time of one study goes: from the bytes of a DICOM file to probabilities, beside the bare forward pass.

    python benchmarks/predict_latency.py [--repeats 21] [--threads 2] [--size 224] [--command]

One uncompressed phantom of 2500 x 2048 pixels, 16 bits; ViT-S/16 with random weights and 14 labels. In a warm process the
whole, its reading and the bare forward pass of the network take turns in one run; medians, and the median of the ratios of
each turn. --command times `cxr predict` itself as well, as a process from its start to its end.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from cxr import __version__
from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.config_model import ModelConfig
from cxr.config_sources import PhantomSource
from cxr.ingest.read import canonical, normalise
from cxr.labels.label_set import Label, LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing
from cxr.model.file import load_model, save_model
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render
from cxr.predict.files import FileScorer
from cxr.predict.read import preprocessing_of, read_picture

NAMES = tuple(f"finding {number}" for number in range(1, 15))
ROWS, COLUMNS = 2500, 2048


def model(path: Path, size: int) -> Path:
    config = ModelConfig(backbone="vit_small_patch16_224")
    table = Confusion(true_positives=3, false_positives=2, false_negatives=1, true_negatives=4)
    fitted = LabelCalibration(
        scaling=Platt(method="platt", slope=1.0, intercept=0.0),
        points={"youden": OperatingPoint(threshold=0.5, validation=table)},
    )
    calibration = Calibration(
        schema_version=1,
        config=CalibrateConfig(points=(OperatingRule(rule="youden"),)),
        unit="image",
        combine="mean",
        images=10,
        patients=10,
        labels=dict.fromkeys(NAMES, fitted),
    )
    card = ModelCard(
        cxr_version=__version__,
        labels=LabelSet(name="drawn", labels=tuple(Label(name=name) for name in NAMES)),
        model=config,
        preprocessing=Preprocessing(size=size, fit="pad", normaliser=normalise.VERSION, canonical=canonical.VERSION),
        run_id="none",
        data_sha256="none",
        epoch=1,
        calibration=calibration,
    )
    save_model(path, build_classifier(config, size, len(NAMES)).state_dict(), card)
    return path


def study() -> bytes:
    """An uncompressed radiograph of 2500 x 2048: a phantom, enlarged."""
    source = PhantomSource(kind="phantom", patients=10, images_per_patient=1, matrix=512)
    planned = plan_cohort(source, 5).good[0]
    drawn = render(planned.anatomy, planned.pose, planned.severities, planned.shape, planned.seed)
    dataset = build_dicom(drawn.picture, planned.examination, ENCODINGS[0])
    small = dataset.pixel_array
    rows, columns = (np.arange(wanted) * have // wanted for wanted, have in zip((ROWS, COLUMNS), small.shape, strict=True))
    large = np.ascontiguousarray(small[np.ix_(rows, columns)])
    dataset.Rows, dataset.Columns, dataset.PixelData = ROWS, COLUMNS, large.tobytes()
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def take_turns(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each, after three turns that do not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 3):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn >= 3:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--command", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, data = model(folder / "model.safetensors", given.size), study()
        cpu = torch.device("cpu")
        scorer, saved = FileScorer(path, cpu), load_model(path, cpu)
        preprocessing = preprocessing_of(saved.card)
        image = torch.from_numpy(read_picture(data, preprocessing).image)[None]
        assert scorer.score([data])[NAMES[0]].notna().all()

        def forward() -> None:
            with torch.inference_mode():
                saved.classifier(image)

        works = {
            "file to table": lambda: scorer.score([data]),
            "forward": forward,
            "reading": lambda: read_picture(data, preprocessing),
        }
        times = take_turns(works, given.repeats)
        for what, values in times.items():
            print(f"{what:14} {statistics.median(values):7.1f} ms   ({min(values):.1f} to {max(values):.1f})")
        ratios = [whole / bare for whole, bare in zip(times["file to table"], times["forward"], strict=True)]
        print(
            f"file to table / forward: {statistics.median(ratios):.2f}   ({len(data) / 2**20:.1f} MiB, {given.threads} threads)"
        )
        if given.command:
            (folder / "study.dcm").write_bytes(data)
            command = [sys.executable, "-m", "cxr", "predict", "--model", str(path), str(folder / "study.dcm")]
            command += ["--out", str(folder / "answer.csv")]
            for _ in range(3):
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                print(f"the command    {time.perf_counter() - start:7.2f} s")


if __name__ == "__main__":
    main()
