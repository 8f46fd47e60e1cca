"""One file to one radiograph: the reader that ingest and prediction share."""
