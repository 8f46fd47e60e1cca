"""Where the files of an ingest come from: a folder, an archive, a DICOMDIR medium, a PACS, a published data set."""
