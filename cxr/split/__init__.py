"""The split: which patients train, validate and test."""
