"""Chest radiographs, from DICOM to a multi-label classifier that can be trusted."""

__version__ = "0.1.0"
