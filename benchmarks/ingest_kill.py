"""An ingest that is killed at ten random moments against one that is not: the same manifest and store, byte for byte?

    python benchmarks/ingest_kill.py [--files 2000] [--kills 10] [--seed 1]

Ten times: the command `cxr ingest`, ended by SIGKILL to its whole process group at a random moment, then the same command
again, to its end.
"""

from __future__ import annotations

import argparse
import contextlib
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


def kill(attempt: list[str], wait: float, out: Path) -> str:
    """Start a command, kill it and its workers after some seconds, and tell how far it was."""
    process = subprocess.Popen(attempt, start_new_session=True, stdout=subprocess.DEVNULL)
    time.sleep(wait)
    ended = process.poll() is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(out.glob("store/*.npy")))
    return "which was after its end" if ended else f"{done} shards whole"


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
        same = True
        for number in range(arguments.kills):
            out = root / f"killed-{number}"
            wait = moments.uniform(0.2, 0.95 * wall)
            shards = kill(command(root / "source", out, root / "key"), wait, out)
            subprocess.run(command(root / "source", out, root / "key"), check=True, stdout=subprocess.DEVNULL)
            equal = digests(root / "whole") == digests(out)
            same &= equal
            print(f"killed after {wait:.2f} s, {shards}; then the same {'' if equal else 'NOT '}byte for byte", flush=True)
        print(f"{arguments.kills} kills, {len(digests(root / 'whole'))} files each: {'all the same' if same else 'DIFFERENT'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
