"""Results back to the hospital: a report and pictures of a study as DICOM, in a folder or sent to a PACS."""
