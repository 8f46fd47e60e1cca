"""Where the time of one study goes: from the bytes of a DICOM file to probabilities, beside the bare forward pass.

    python benchmarks/predict_latency.py [--repeats 21] [--threads 2] [--size 224] [--command]

One uncompressed phantom of 2500 x 2048 pixels, 16 bits; ViT-S/16 with random weights and 14 labels. In a warm process the
whole, its reading and the bare forward pass of the network take turns in one run; medians, and the median of the ratios of
each turn. Then the same work once more by its steps, each without those that it calls. --command times `cxr predict` itself as
well, as a process, with the model file and with an ONNX export of it: how long Python, the imports, opening the model and the
answer take, and the command as a whole.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cxr import __version__
from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.config_model import ModelConfig, StackedConfig
from cxr.config_sources import PhantomSource
from cxr.export.export import Wish, export
from cxr.ingest.read import canonical, dicom, normalise, part10, quality
from cxr.labels.label_set import Label, LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing
from cxr.model.file import load_model, save_model
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render
from cxr.predict import read
from cxr.predict.files import FileScorer
from cxr.predict.predictor import Predictor
from cxr.predict.read import preprocessing_of, read_picture

STEPS: tuple[tuple[str, object, str], ...] = (
    ("reading from disk", read, "_on_disk"),
    ("parsing the header", part10, "parse"),
    ("decoding", dicom, "_decode"),
    ("normalising", normalise, "normalise"),
    ("judging the picture", quality, "judge"),
    ("digest of the pixels", dicom, "pixel_digest"),
    ("judging the header, digest of the file", dicom, "_read"),
    ("resizing", read, "canonical"),
    ("the network", Predictor, "probabilities"),
    ("calibration and table", FileScorer, "_table"),
)
"""What is told of each step, and the function that does it."""
PARTS = """
import sys, time
from pathlib import Path
start = time.perf_counter()
import cxr.cli.main, cxr.predict.command
from cxr.predict.inputs import open_inputs
from cxr.predict.networks import Wanted, open_networks
model, study, out = map(Path, sys.argv[1:])
if model.suffix == ".onnx":
    import cxr.export.exported, onnxruntime
else:
    import cxr.device, cxr.predict.predictor, cxr.predict.widths
imported = time.perf_counter()
networks = open_networks(model, Wanted(device="cpu"))
opened = time.perf_counter()
asked = cxr.predict.command.Asked(open_inputs([str(study)], "dicom"), "dicom", out)
cxr.predict.command.predict_files(asked, networks, model, lambda *_: None)
print(imported - start, opened - imported, time.perf_counter() - opened)
"""
NAMES = tuple(f"finding {number}" for number in range(1, 15))
ROWS, COLUMNS = 2500, 2048


def model(path: Path, size: int, options: Mapping[str, Any] | None = None, heads: Sequence[int] = ()) -> Path:
    """A calibrated model file with random weights: ViT-S/16, or one with other options, and of stacked heads."""
    stacked = StackedConfig(heads=tuple(heads)) if heads else None
    config = ModelConfig(backbone="vit_small_patch16_224", options=dict(options or {}), stacked=stacked)
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


class Clock:
    """Time in functions, without that in others that are timed, too; each by what is told of it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inside = [0.0]

    def watch(self, text: str, place: object, name: str) -> None:
        """Time a function from now on; of several under one text the sum."""
        work = getattr(place, name)

        @wraps(work)
        def timed(*arguments: object, **named: object) -> object:
            start = time.perf_counter()
            self._inside.append(0.0)
            try:
                return work(*arguments, **named)
            finally:
                whole = time.perf_counter() - start
                self.spent[text] = self.spent.get(text, 0.0) + whole - self._inside.pop()
                self._inside[-1] += whole

        setattr(place, name, timed)


def print_steps(scorer: FileScorer, path: Path, repeats: int) -> None:
    """Medians of each step of one file, from the disk to the table."""
    clock = Clock()
    for text, place, name in STEPS:
        clock.watch(text, place, name)
    found: dict[str, list[float]] = {}
    for turn in range(repeats + 3):
        clock.spent.clear()
        start = time.perf_counter()
        scorer.score([path])
        whole = time.perf_counter() - start
        clock.spent |= {"all else": whole - sum(clock.spent.values()), "file to table": whole}
        for text, seconds in clock.spent.items():
            if turn >= 3:
                found.setdefault(text, []).append(1000 * seconds)
    total = statistics.median(found["file to table"])
    for text in (*(text for text, _, _ in STEPS), "all else", "file to table"):
        middle = statistics.median(found[text])
        print(f"  {text:40} {middle:7.1f} ms {100 * middle / total:5.0f} %")


def seconds_of(command: list[str]) -> tuple[float, str]:
    """How long a process takes, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def print_command(models: Sequence[Path], study_file: Path, repeats: int) -> None:
    """Medians of the parts of `cxr predict` on one file, and of the whole of it; the models take turns."""
    out = str(study_file.with_name("answer.csv"))
    parts = ("Python", "imports", "opening the model", "the answer", "the command")
    found: dict[str, list[tuple[float, ...]]] = {model.suffix: [] for model in models}
    for _ in range(repeats):
        for path in models:
            python, _ = seconds_of([sys.executable, "-c", "pass"])
            _, told = seconds_of([sys.executable, "-c", PARTS, str(path), str(study_file), out])
            command = [sys.executable, "-m", "cxr", "predict", "--model", str(path), str(study_file), "--out", out]
            found[path.suffix].append((python, *map(float, told.split()), seconds_of(command)[0]))
    print(f"  {'':40}" + "".join(f"{suffix:>14}" for suffix in found))
    for place, part in enumerate(parts):
        print(f"  {part:40}" + "".join(f"{statistics.median(row[place] for row in rows):12.2f} s" for rows in found.values()))


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
        (folder / "study.dcm").write_bytes(data)
        if given.command:
            export(path, folder / "model.onnx", Wish(), lambda *_: None)
            print_command((path, folder / "model.onnx"), folder / "study.dcm", 5)
        print_steps(scorer, folder / "study.dcm", given.repeats)  # last: its clocks stay


if __name__ == "__main__":
    main()
