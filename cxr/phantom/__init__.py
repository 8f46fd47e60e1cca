"""Synthetic thorax radiographs, written as real DICOM."""
