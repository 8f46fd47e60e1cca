"""An ingest that is killed at ten random moments against one that is not: the same manifest and store, byte for byte?

    python benchmarks/ingest_kill.py [--files 2000] [--kills 10] [--seed 1]

Each attempt is the command `cxr ingest`, ended by SIGKILL to its whole process group after a random time, then the same
command again, until it ends by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from small_files import write_files


def command(source: Path, out: Path, key: Path) -> list[str]:
    return [sys.executable, "-m", "cxr", "ingest", str(source), "--out", str(out), "--key", str(key), "ingest.shard_files=64"]


def digests(out: Path) -> dict[str, str]:
    paths = [out / "manifest.parquet", *sorted((out / "store").iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_files(root / "source", arguments.files)
        subprocess.run([sys.executable, "-m", "cxr", "key", str(root / "key")], check=True, stdout=subprocess.DEVNULL)
        start = time.perf_counter()
        subprocess.run(command(root / "source", root / "whole", root / "key"), check=True)
        wall = time.perf_counter() - start
        print(f"uninterrupted: {arguments.files} files in {wall:.1f} s")
        killed = 0
        while killed < arguments.kills:
            wait = moments.uniform(0.3, max(2.5, wall / 3))
            process = subprocess.Popen(command(root / "source", root / "killed", root / "key"), start_new_session=True,
                                       stdout=subprocess.DEVNULL)  # fmt: skip
            time.sleep(wait)
            if process.poll() is not None:
                break  # it ended before
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            shards = len(list((root / "killed" / "store").glob("*.npy"))) if (root / "killed" / "store").exists() else 0
            print(f"killed after {wait:.2f} s, {shards} shards whole")
        subprocess.run(command(root / "source", root / "killed", root / "key"), check=True)
        same = digests(root / "whole") == digests(root / "killed")
        print(f"{killed} kills: manifest and {len(digests(root / 'whole')) - 1} files of the store "
              f"{'are the same byte for byte' if same else 'DIFFER'}")  # fmt: skip
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
