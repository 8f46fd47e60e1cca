"""What test_orthanc.py runs inside a network namespace: a real server is filled, listed and fetched, and restarted half-way.

`python orthanc_scenario.py MODE FOLDER` prints one line of JSON. To run something else against the server, add a function to
`MODES`; it is given the running, filled server and the files that were pushed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import imagecodecs
import numpy as np
import pandas as pd
import pydicom
from orthanc import Orthanc
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from cxr.ingest.source.dicomweb import DicomwebFiles
from cxr.manifest import read_manifest

ROOT = "1.2.826.0.1.3680043.8.498.1"
STUDIES, OTHERS = 200, 3
DOWN_S = 3.0
HALF_OF_THE_SHARDS = 6  # of sixteen files each


def radiograph(number: int, modality: str = "DX") -> bytes:
    """A made-up chest radiograph of 64 x 64 pixels, the only one of its study; every other one is in JPEG-LS."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    lungs = np.exp(-(((np.abs(x) - 0.45) / 0.25) ** 2) - (y / 0.7) ** 2)
    words = (3000 - 2200 * lungs + rng.normal(0, 60, lungs.shape)).clip(0, 4095).astype(np.uint16)
    compressed = number % 2 == 1
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = uid.JPEGLSLossless if compressed else uid.ExplicitVRLittleEndian
    values = {
        "SOPClassUID": uid.CTImageStorage if modality == "CT" else uid.DigitalXRayImageStorageForPresentation,
        "StudyInstanceUID": f"{ROOT}.{number}", "SeriesInstanceUID": f"{ROOT}.{number}.1",
        "SOPInstanceUID": f"{ROOT}.{number}.1.1",
        "PatientID": f"P{number // 2}", "PatientName": f"Doe^Number{number}", "PatientSex": "F", "PatientAge": "050Y",
        "StudyDate": "20200102", "Modality": modality, "BodyPartExamined": "CHEST", "ViewPosition": "PA",
        "PatientOrientation": ["L", "F"], "PresentationIntentType": "FOR PRESENTATION", "BurnedInAnnotation": "NO",
        "Rows": 64, "Columns": 64, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0,
        "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
    }  # fmt: skip
    for name, value in values.items():
        setattr(header, name, value)
    header.PixelData = encapsulate([imagecodecs.jpegls_encode(words)]) if compressed else words.astype("<u2").tobytes()
    header["PixelData"].VR = "OB" if compressed else "OW"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


def restart_later(server: Orthanc, *, at_once: bool) -> threading.Thread:
    """Kill the server, here and now or from another thread while it is read from, and start it again after `DOWN_S`."""
    if at_once:
        server.stop(kill=True)

    def restart() -> None:
        server.stop(kill=True)
        time.sleep(DOWN_S)
        server.start()

    thread = threading.Thread(target=restart)
    thread.start()
    return thread


def fetch_all(server: Orthanc, pushed: dict[str, str], *, restarts: tuple[int, ...] = ()) -> dict[str, Any]:
    """List and fetch, each file as soon as it is listed.

    Args:
        server: running and filled.
        pushed: the SHA-256 of each file by its instance UID.
        restarts: after how many files the server is killed; the first time just before the next one is fetched.
    """
    files = DicomwebFiles(server.dicomweb, page=20, patience_s=60)
    names: list[str] = []
    threads: list[threading.Thread] = []
    skipped = equal = 0
    longest = 0.0
    begun = time.monotonic()
    for entry in files.entries():
        names.append(entry.name)
        if entry.code:
            skipped += 1
            continue
        if equal in restarts:
            threads.append(restart_later(server, at_once=not threads))
        before = time.monotonic()
        content = files.fetch(entry.name)
        longest = max(longest, time.monotonic() - before)
        equal += pushed[entry.name.split("/")[2]] == hashlib.sha256(content).hexdigest()
    seconds = time.monotonic() - begun
    for thread in threads:
        thread.join()
    return {
        "listed": len(names),
        "doubles": len(names) - len(set(names)),
        "skipped": skipped,
        "equal": equal,
        "restarts": len(threads),
        "seconds": round(seconds, 2),
        "longest_fetch": round(longest, 2),
    }


def list_all(server: Orthanc, pushed: dict[str, str]) -> dict[str, Any]:
    """List without fetching."""
    begun = time.monotonic()
    names = [entry.name for entry in DicomwebFiles(server.dicomweb).entries()]
    return {"listed": len(names), "doubles": len(names) - len(set(names)), "seconds": round(time.monotonic() - begun, 2)}


def die(server: Orthanc, pushed: dict[str, str]) -> NoReturn:
    """End without stopping the server."""
    os._exit(1)


def ingest_all(server: Orthanc, pushed: dict[str, str]) -> dict[str, Any]:
    """Run `cxr ingest` on the server, which is killed and started again half-way; then once more, on nothing new."""
    out, key = server.folder / "out", server.folder / "key"
    subprocess.run([sys.executable, "-m", "cxr", "key", str(key)], check=True, capture_output=True)
    command = [sys.executable, "-m", "cxr", "ingest", server.dicomweb, "--out", str(out), "--key", str(key), "--again"]
    process = subprocess.Popen([*command, "ingest.shard_files=16"], stdout=sys.stderr)
    shards = out / "store"
    while process.poll() is None and len(list(shards.glob("*.npy"))) < HALF_OF_THE_SHARDS:
        time.sleep(0.01)
    half_way = process.poll() is None
    restart_later(server, at_once=True).join()
    code = process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.npy")}
    subprocess.run([*command, "ingest.shard_files=16"], check=True, stdout=sys.stderr)
    after = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.npy")}
    manifest = read_manifest(out / "manifest.parquet").frame
    files = pd.read_csv(out / "files.csv")
    return {
        "half_way": half_way,
        "code": code,
        "outcomes": files["outcome"].value_counts().to_dict(),
        "images": len(manifest),
        "equal": len(set(manifest["source_sha256"]) & set(pushed.values())),
        "studies": manifest["study_id"].nunique(),
        "read_again": before != after,
    }


MODES: dict[str, Callable[[Orthanc, dict[str, str]], dict[str, Any]]] = {
    "die": die,
    "list": list_all,
    "fetch": fetch_all,
    "ingest": ingest_all,
    "restart": lambda server, pushed: fetch_all(server, pushed, restarts=(STUDIES // 2, STUDIES * 3 // 4)),
}


def main(mode: str, folder: Path) -> None:
    files = [radiograph(number) for number in range(STUDIES)]
    files += [radiograph(number, "CT") for number in range(STUDIES, STUDIES + OTHERS)]
    pushed = {f"{ROOT}.{number}.1.1": hashlib.sha256(file).hexdigest() for number, file in enumerate(files)}
    with Orthanc(folder) as server:
        server.push(files)
        print(json.dumps(MODES[mode](server, pushed)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
