"""One predictor, used by every command and every export."""
