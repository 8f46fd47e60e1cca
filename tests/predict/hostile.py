"""A folder some of whose files do to their reader what no file can be made to do at will."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from cxr.ingest.source.folder import FolderFiles


@dataclass(frozen=True)
class HostileFiles(FolderFiles):
    """By the start of a name: "killer" ends its reader, "once" only the first one, "slow" takes a minute, "greedy" too much."""

    def fetch(self, name: str) -> bytes:
        """See `FolderFiles.fetch`."""
        marker = self.root / f"../{name}.was-here"
        if name.startswith("killer") or (name.startswith("once") and not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow"):
            time.sleep(60)
        if name.startswith("greedy"):
            bytearray(4 * 2**30)
        return super().fetch(name)
