"""The round trip with a real server: studies in by DICOMweb, scored, results back, found by query and read by DCMTK."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.ingest.source import test_orthanc as ingest


@pytest.mark.parametrize("way", ["stow", "store"])
def test_results_come_back_into_the_studies_once_and_can_be_read(tmp_path, monkeypatch, way):
    here, root = Path(ingest.__file__).parent, Path(__file__).parent.parent.parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(root), str(here), os.environ.get("PYTHONPATH")))))
    monkeypatch.setattr(ingest, "SCENARIO", Path(__file__).with_name("orthanc_scenario.py"))
    found = ingest.play(way, tmp_path)
    dumped = 4 if shutil.which("dsrdump") else None
    # four studies as before, for the results belong to them; a report each, though they were sent twice
    assert found == {
        "codes": [0, 0, 0],
        "studies": 4,
        "reports": 4,
        "refers_to_all_maps": True,
        "refers_to_what_is_there": True,
        "queried": True if shutil.which("findscu") else None,
        "faults": [] if shutil.which("dciodvfy") else None,
        "as_made": True,
        "dumped": dumped,
    }
