"""The account that ingest gives of itself: what became of every file, as numbers and as a page."""
