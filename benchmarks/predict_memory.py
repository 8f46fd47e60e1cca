"""How much memory `cxr predict` takes, and whether it grows with the number of files.

    python benchmarks/predict_memory.py [--counts 500 2000 8000] [--cascade] [--maps]

Small phantom files in studies of two and a tiny model. The peak of the resident memory of the command's main process and of its
largest worker, sampled every 20 ms; and what a further thousand files added to the main process, from the smallest count on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from ingest_memory import peaks
from predict_latency import NAMES, model
from small_files import write_files

_SIZE = 32
_TINY = {"embed_dim": 64, "num_heads": 4, "depth": 2, "patch_size": 8}
_CASCADE = {
    "heads": [1, 4],
    "rule": "entropy",
    "limit": 1e9,  # no study goes on: what is measured is what deciding it takes
    "references": [{"entropy": 0.5, "spread": 1.0, "youden": None}] * len(NAMES),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--cascade", action="store_true", help="a model with stacked heads, of which a cascade runs")
    parser.add_argument("--maps", action="store_true", help="draw the map of one label of each file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root, found = Path(name), []
        path = model(root / "model.safetensors", _SIZE, _TINY, heads=(1, 2, 4) if given.cascade else ())
        more = []
        if given.cascade:
            (root / "cascade.json").write_text(json.dumps(_CASCADE))
            more = ["--cascade", str(root / "cascade.json"), "--uncalibrated"]
        for count in given.counts:
            write_files(root / f"in-{count}", count)
            command = [sys.executable, "-m", "cxr", "predict", "--model", str(path), str(root / f"in-{count}")]
            command += ["--out", str(root / f"{count}.csv"), *more]
            command += ["--maps", str(root / f"maps-{count}"), "--maps-of", NAMES[0]] if given.maps else []
            seconds, own, worker = peaks(command)
            found.append((count, own))
            added = (
                "" if len(found) == 1 else f", {(own - found[0][1]) / (count - found[0][0]) * 1000:+.1f} MiB a thousand more"
            )
            print(
                f"{count:6} files: {seconds:6.1f} s, main process {own:4.0f} MiB{added}, largest worker {worker:4.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
