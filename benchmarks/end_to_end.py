"""How long a shipped pipeline takes from nothing, stage by stage, and how well its model does.

    python benchmarks/end_to_end.py PIPELINE [KEY=VALUE ...]

The command runs as a user would run it, in an empty workspace that is deleted afterwards.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path


def main() -> None:
    pipeline, *overrides = sys.argv[1:]
    with tempfile.TemporaryDirectory() as workspace:
        start = time.perf_counter()
        command = [sys.executable, "-m", "cxr", "run", pipeline, f"workspace={workspace}", *overrides]
        subprocess.run(command, check=True)
        wall = time.perf_counter() - start
        records = [json.loads(path.read_text()) for path in Path(workspace).glob("*/*/stage.json")]
    print(f"\n{datetime.now():%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for record in sorted(records, key=lambda record: (record["started"], record["finished"], record["stage"] != "predict")):
        seconds = datetime.fromisoformat(record["finished"]) - datetime.fromisoformat(record["started"])
        print(f"{record['stage']:9} {seconds.total_seconds():5.0f} s  {record['headline']}")
    print(f"{'in all':9} {wall:5.0f} s  the whole command, imports and MLflow's new store included")


if __name__ == "__main__":
    main()
