"""Losses, optimiser and schedule, the loop, checkpoints."""
