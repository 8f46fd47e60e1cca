"""How much memory an ingest takes, and whether it grows with the number of files.

    python benchmarks/ingest_memory.py [--counts 1000 5000 20000]

The peak of the resident memory of the command's main process and of its largest worker, sampled every 20 ms.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from small_files import write_files


def peaks(command: list[str]) -> tuple[float, float, float]:
    """Seconds, and megabytes at the peak of the main process and of the largest worker."""
    start = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    main = worker = 0
    while process.poll() is None:
        try:
            main = max(main, process.memory_info().rss)
            worker = max([worker, *(child.memory_info().rss for child in process.children())])
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"the command failed: {process.returncode}")
    return time.perf_counter() - start, main / 2**20, worker / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000, 20000])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run([sys.executable, "-m", "cxr", "key", str(root / "key")], check=True, stdout=subprocess.DEVNULL)
        for count in parser.parse_args().counts:
            write_files(root / f"source-{count}", count)
            source, out = str(root / f"source-{count}"), str(root / f"out-{count}")
            command = [sys.executable, "-m", "cxr", "ingest", source, "--out", out, "--key", str(root / "key")]
            seconds, main, worker = peaks(command)
            print(
                f"{count:6} files: {seconds:6.1f} s, main process {main:4.0f} MiB, largest worker {worker:4.0f} MiB", flush=True
            )


if __name__ == "__main__":
    main()
