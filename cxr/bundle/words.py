"""The texts of a bundle that people read, and MONAI's logging configuration."""

from __future__ import annotations

from cxr import __version__
from cxr.bundle.inference import thresholds
from cxr.export.record import Check
from cxr.model.card import ModelCard

LICENSE = """The weights in models/ belong to whoever trained them, on the data that configs/metadata.json names. No licence to
use or pass them on is given here; ask whoever gave you this bundle.

The other files were written by cxr, which is under the Apache License, Version 2.0.
"""

LOGGING = """[loggers]
keys=root

[handlers]
keys=console

[formatters]
keys=line

[logger_root]
level=INFO
handlers=console

[handler_console]
class=StreamHandler
level=INFO
formatter=line
args=(sys.stdout,)

[formatter_line]
format=%(levelname)s %(message)s
"""
"""What MONAI's runner reads as `configs/logging.conf`."""

_README = """# {name}

{count} findings on a frontal chest radiograph, each by itself; {scale}. It is meant to support a reader, after
it was evaluated on radiographs of the hospital that uses it; it makes no diagnosis by itself.

Needed: Python 3.11 or 3.12 with `cxr[monai]` {version}, which reads the DICOM files. The network alone
(`models/model.ts`) needs torch and nothing else.

## Run

In this folder:

```
python -m monai.bundle run --config_file configs/inference.json --dataset_dir STUDIES --output_dir ANSWER
```

`STUDIES` is a folder with DICOM files or zip archives of them, at any depth. `ANSWER/answer.csv` has a row for each file: what
became of it, and {numbers}. A file that is not
taken, as a lateral view, a hand or a damaged file, has a reason in place of numbers. From another folder give
`--bundle_root` too.

## Input and output of the network

| | | |
|---|---|---|
| `image` | float32 [n, 1, {size}, {size}] | whole numbers from 0 to 255, made by `ReadRadiographd` |
| `pred` | float64 [n, {count}] | {output}, in the order below; NaN for an image with any other value |

{table}

## Where it comes from

The run {run} trained it ({backbone}), on a list of images with the digest
{data}.

The bundle was compared with the model file on {images} {of}: the largest change of a number is {change:.1e}.
`configs/metadata.json` has the whole of it, with the digest of the weights.
"""


def readme(card: ModelCard, check: Check) -> str:
    """`docs/README.md` of a bundle."""
    calibrated = card.calibration is not None
    return _README.format(
        name=f"Chest radiograph classification, {card.labels.name}",
        count=len(card.labels.names),
        scale="probabilities are calibrated" if calibrated else "scores are not calibrated, and say neither yes nor no",
        version=__version__,
        numbers="for each finding its probability and yes or no" if calibrated else "for each finding its score",
        size=card.preprocessing.size,
        output="calibrated probabilities" if calibrated else "scores",
        table=_table(card),
        run=card.run_id,
        backbone=card.model.backbone,
        data=card.data_sha256,
        images=check.images,
        of=check.of,
        change=check.furthest,
    )


def _table(card: ModelCard) -> str:
    names = card.labels.names
    if card.calibration is None:
        lines = ["| channel | finding |", "|---|---|"]
        return "\n".join([*lines, *(f"| {place} | {name} |" for place, name in enumerate(names))])
    point, raw = card.calibration.config.points[0].name, card.calibration.unscaled
    lines = [f"| channel | finding | yes from ({point}) |", "|---|---|---|"]
    for place, (name, least) in enumerate(thresholds(card.calibration, names).items()):
        told = f"{name} (score, not calibrated: {raw[name]})" if name in raw else name
        lines.append(f"| {place} | {told} | {'no threshold' if least is None else f'{least:.4f}'} |")
    return "\n".join(lines)
