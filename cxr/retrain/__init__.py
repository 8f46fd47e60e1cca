"""From an older model to a new one on another label set: what becomes of each label, and what is carried over."""
