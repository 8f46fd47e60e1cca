"""Chest radiographs, from DICOM to a multi-label classifier that can be trusted."""

import os

# before Arrow is imported: its own pools keep the memory of texts that are gone, some 20 MiB for each 20,000 files
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

__version__ = "0.1.0"
