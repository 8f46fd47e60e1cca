"""Scores and truth from tables of any origin."""
