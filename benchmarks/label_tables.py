"""How fast a label table is imported and how much memory that takes, paired with what a user would write with pandas.

    python benchmarks/label_tables.py TABLE [--repeats 7] [--rows 100000 1000000]

TABLE is the NIH's Data_Entry_2017_v2020.csv, also gzipped. Ours is `cxr.ingest.table.read.read_table`: beside the findings it
checks every row and reads patient, view, sex and age in the manifest's terms, and takes the file's SHA-256. The others read
the table with pandas.read_csv and make a 0 and 1 column per label: by a search for each label's name, by str.get_dummies, by
splitting each cell and comparing the parts. All take turns on one core; medians over the repeats, ratios pair by pair.

Memory is that of a child process that reads a generated table in the layout of the NIH or of CheXpert and nothing else: its
peak as the kernel keeps it for its own address space (VmHWM; getrusage also counts what the parent had when it started it).
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd

from cxr.ingest.table.layout import read_format
from cxr.ingest.table.read import read_table
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.labels.values import POSITIVE

Counts = dict[str, int]
NIH_HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
CHEXPERT_CONTEXT = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"]


def labels_of(name: str) -> LabelSet:
    return read_label_set(SHIPPED / name / "labels.yaml")


def ours(path: Path, names: tuple[str, ...]) -> Counts:
    table = read_table(path, read_format(SHIPPED / "nih14" / "table.yaml"), labels_of("nih14"))
    return dict(zip(names, (table.codes == POSITIVE).sum(axis=0).tolist(), strict=True))


def search(path: Path, names: tuple[str, ...]) -> Counts:
    found = pd.read_csv(path)["Finding Labels"]
    return {name: int(found.str.contains(name).to_numpy().astype("int8").sum()) for name in names}


def dummies(path: Path, names: tuple[str, ...]) -> Counts:
    found = pd.read_csv(path)["Finding Labels"].str.get_dummies("|")
    return {name: int(found[name].sum()) for name in names}


def exact_split(path: Path, names: tuple[str, ...]) -> Counts:
    parts = [set(cell.split("|")) for cell in pd.read_csv(path)["Finding Labels"]]
    table = pd.DataFrame({name: [int(name in cell) for cell in parts] for name in names}, dtype="int8")
    return {name: int(table[name].sum()) for name in names}


METHODS: dict[str, Callable[[Path, tuple[str, ...]], Counts]] = {
    "ours": ours,
    "pandas, a search for each name": search,
    "pandas, str.get_dummies": dummies,
    "pandas, cells split and compared": exact_split,
}


def time_import(path: Path, repeats: int) -> None:
    names = labels_of("nih14").names
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    counts: dict[str, Counts] = {}
    for _ in range(repeats):
        for name, method in METHODS.items():
            start = time.perf_counter()
            counts[name] = method(path, names)
            seconds[name].append(time.perf_counter() - start)
    print(f"{'':34} {'seconds':>8} {'ratio':>7}   range of the ratio  counts")
    for name, taken in seconds.items():
        ratios = [other / mine for other, mine in zip(taken, seconds["ours"], strict=True)]
        same = "" if name == "ours" else "the same" if counts[name] == counts["ours"] else "DIFFERENT"
        figures = f"{statistics.median(taken):8.2f} {statistics.median(ratios):7.2f}   {min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{name:34} {figures:36}  {same}")
    print(f"ours, all repeats: {', '.join(f'{taken:.2f}' for taken in seconds['ours'])} s")


def nih_rows(rows: int, chosen: random.Random) -> Iterator[list[str]]:
    """About as many distinct cells and patients as the table of the NIH has in as many rows."""
    names = labels_of("nih14").names
    cells = ["|".join(chosen.sample(names, chosen.choice([1, 1, 1, 2, 2, 3, 4]))) for _ in range(800)]
    yield NIH_HEADER.split(",")
    for row in range(rows):
        cell = "No Finding" if chosen.random() < 0.5 else chosen.choice(cells)
        patient, follow_up = divmod(row, 4)
        yield [f"{patient:08d}_{follow_up:03d}.png", cell, str(follow_up), str(patient), str(row % 90), "MF"[row % 2], "PA"]


def chexpert_rows(rows: int, chosen: random.Random) -> Iterator[list[str]]:
    names = labels_of("chexpert").names
    yield [*CHEXPERT_CONTEXT, *names]
    for row in range(rows):
        path = f"CheXpert-v1.0-small/train/patient{row // 4:06d}/study{row % 4}/view1_frontal.jpg"
        context = [path, ("Male", "Female")[row % 2], str(row % 90), "Frontal", ("AP", "PA")[row % 2]]
        yield context + chosen.choices(["", "1.0", "0.0", "-1.0"], (75, 14, 8, 3), k=len(names))


ROWS = {"nih14": nih_rows, "chexpert": chexpert_rows}


def read_alone(kind: str, layout: str, path: Path) -> None:
    """What the child process does: it prints seconds, and megabytes at its peak."""
    start = time.perf_counter()
    if kind == "ours":
        read_table(path, read_format(SHIPPED / layout / "table.yaml"), labels_of(layout))
    elif kind == "pandas":
        pd.read_csv(path)
    seconds = time.perf_counter() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(seconds, int(peak.split()[1]) / 1024)


def child(kind: str, layout: str, path: Path) -> tuple[float, float]:
    command = [sys.executable, __file__, str(path), "--alone", kind, layout]
    seconds, megabytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(megabytes)


def measure_memory(counts: list[int], folder: Path) -> None:
    print(f"\n{'layout':9} {'rows':>8} {'file':>8} {'':8} {'seconds':>8} {'peak':>9} {'above the imports':>18} {'per row':>12}")
    for layout, generate in ROWS.items():
        for rows in counts:
            path = folder / f"{layout}-{rows}.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(generate(rows, random.Random(rows)))
            size = path.stat().st_size / 2**20
            _, floor = child("nothing", layout, path)
            for kind in ("ours", "pandas"):
                seconds, peak = child(kind, layout, path)
                text = f"{seconds:8.2f} {peak:5.0f} MiB {peak - floor:14.0f} MiB {(peak - floor) * 2**20 / rows:6.0f} bytes"
                print(f"{layout:9} {rows:8} {size:4.0f} MiB {kind:8} {text}", flush=True)
            path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        read_alone(*arguments.alone, arguments.table)
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(
        f"{datetime.now():%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end=""
    )
    print(f"pandas {pd.__version__}; one core, {arguments.repeats} repeats")
    time_import(arguments.table, arguments.repeats)
    with tempfile.TemporaryDirectory() as folder:
        measure_memory(arguments.rows, Path(folder))


if __name__ == "__main__":
    main()
