"""What test_orthanc.py runs inside a network namespace: studies are read from a real server, and their results stored there.

`python orthanc_scenario.py MODE FOLDER`, where MODE is stow or store, prints one line of JSON. The repository and
tests/ingest/source have to be on the path.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pydicom
from orthanc import Orthanc

from cxr.cli.group import cli
from cxr.cli.main import main as _  # noqa: F401 (registers the commands)
from cxr.ingest.source.dicomweb import DicomwebFiles
from tests.deliver.content import evidence, explanations
from tests.serve.models import chest, write_model

PORT = 4242
STUDIES = 4


def with_dicom(server: Orthanc) -> Orthanc:
    """The same server, listening for C-STORE too."""
    configuration = server.folder / "orthanc.json"
    settings = json.loads(configuration.read_text())
    more: dict[str, Any] = {"DicomServerEnabled": True, "DicomPort": PORT, "DicomAet": "ORTHANC"}
    more["DicomModalities"] = {"reader": ["READER", "127.0.0.1", PORT + 1]}  # who may query
    configuration.write_text(json.dumps({**settings, **more}))
    return server


def run(arguments: list[str]) -> object:
    """The command's exit code; what it shows goes to the log."""
    with contextlib.redirect_stdout(sys.stderr):
        return cli.main(arguments, standalone_mode=False)


def ask(server: Orthanc, path: str) -> list[dict[str, Any]]:
    """The rows that a query finds."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{server.dicomweb}{path}", headers={"Accept": "application/dicom+json"})
    with opener.open(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def first(row: dict[str, Any], tag: str) -> str:
    return str(row[tag]["Value"][0])


def fetch(server: Orthanc, modality: str, folder: Path) -> list[Path]:
    """The objects of a modality, found by query and fetched."""
    files, paths = DicomwebFiles(server.dicomweb), []
    for row in ask(server, f"/instances?Modality={modality}&includefield=0020000E"):
        study, series, instance = (first(row, tag) for tag in ("0020000D", "0020000E", "00080018"))
        paths.append(folder / f"{modality}-{instance}.dcm")
        paths[-1].write_bytes(files.fetch(f"{study}/{series}/{instance}"))
    return paths


def dumped(path: Path) -> str:
    """What DCMTK makes of a report; its complaints where there are any."""
    done = subprocess.run(["dsrdump", "+Pc", str(path)], capture_output=True, text=True, check=True)
    complaints = [line for line in done.stderr.splitlines() if "VR checker does not support this Specific" not in line]
    return "\n".join(complaints) or done.stdout


def faults(path: Path) -> list[str]:
    """What dicom3tools finds wrong with an object."""
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr.splitlines()
    return [line for line in said if line.startswith("Error")]


def queried(level: str, *keys: str) -> set[str]:
    """UIDs that DCMTK's C-FIND finds at a level."""
    wanted = f"{'SOP' if level == 'IMAGE' else level.title()}InstanceUID"
    options = [part for key in (f"QueryRetrieveLevel={level}", *keys, wanted) for part in ("-k", key)]
    command = ["findscu", "-S", "-aet", "READER", "-aec", "ORTHANC", *options, "127.0.0.1", str(PORT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    return {line.partition("[")[2].partition("]")[0].strip(" \0") for line in lines if line.rstrip().endswith(wanted)} - {""}


def found_by_query(reports: list[Path]) -> bool:
    """Whether C-FIND, asked for the reports of each study, gives these."""
    objects = [pydicom.dcmread(path) for path in reports]
    return all(
        each.SOPInstanceUID
        in queried("IMAGE", f"StudyInstanceUID={each.StudyInstanceUID}", f"SeriesInstanceUID={each.SeriesInstanceUID}")
        and str(each.SeriesInstanceUID) in queried("SERIES", f"StudyInstanceUID={each.StudyInstanceUID}", "Modality=SR")
        for each in objects
    )


def main(mode: str, folder: Path) -> None:
    model = write_model(folder / "model.safetensors")
    with with_dicom(Orthanc(folder)) as server:
        server.push([chest(patient) for patient in range(STUDIES)])
        address = server.dicomweb if mode == "stow" else f"dicom://ORTHANC@127.0.0.1:{PORT}"
        local = folder / "local"
        command = ["deliver", server.dicomweb, "--model", str(model), "--maps", "positive"]
        codes = [run([*command, *where]) for where in (["--to", address], ["--to", address], ["--out", str(local)])]
        reports, maps = fetch(server, "SR", folder), fetch(server, "OT", folder)
        studies = ask(server, "/studies")
        everything = {first(row, "00080018") for row in ask(server, "/instances")}
        by_query = found_by_query(reports) if shutil.which("findscu") else None
    made = sorted(path.stem.partition("-")[2] for path in local.iterdir())
    told = [pydicom.dcmread(path) for path in reports]
    shown = {str(uid) for report in told for uids in explanations(report).values() for uid in uids}
    dumps = [dumped(path) for path in reports] if shutil.which("dsrdump") else None
    found = {
        "codes": codes,
        "studies": len(studies),
        "reports": len(reports),
        "refers_to_all_maps": shown == {path.stem.partition("-")[2] for path in maps} != set(),
        "refers_to_what_is_there": all(evidence(report) <= everything for report in told),
        "queried": by_query,
        "faults": [fault for path in (*reports, *maps) for fault in faults(path)] if shutil.which("dciodvfy") else None,
        "as_made": sorted(path.stem.partition("-")[2] for path in (*reports, *maps)) == made,
        "dumped": dumps and sum("Comprehensive SR Document" in dump and "Calibrated probability" in dump for dump in dumps),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
