"""A real Orthanc server with its DICOMweb plug-in, started, stopped and filled by hand.

Debian's version listens on all addresses whatever its configuration says: use it only inside a network namespace of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

BINARY = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Orthanc:
    """A server on 127.0.0.1 whose archive lies in `folder` and outlives `stop`; as a context manager it is running.

    Args:
        folder: an existing folder.
        port: of its HTTP server.
    """

    def __init__(self, folder: Path, port: int = 8042) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        self.dicomweb = f"{self.address}/dicom-web"
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration = folder / "orthanc.json"
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [str(PLUGIN)],
            "HttpPort": port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        self._configuration.write_text(json.dumps(settings))

    def __enter__(self) -> Orthanc:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, str(self._configuration)], stdout=log, stderr=log)
        (self.folder / "orthanc.pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Orthanc does not start:\n{(self.folder / 'orthanc.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End it: in order, or as a power cut does. Does nothing where it is not running."""
        if self._process is None:
            return
        self._process.kill() if kill else self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def push(self, files: Iterable[bytes]) -> None:
        """Store DICOM files, and see that each is stored."""
        for file in files:
            request = urllib.request.Request(f"{self.address}/instances", file, {"Content-Type": "application/dicom"})
            with _DIRECT.open(request, timeout=30) as answer:
                assert json.load(answer)["Status"] == "Success"

    def _answers(self) -> bool:
        try:
            with _DIRECT.open(f"{self.address}/system", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False
