"""Backbones, the multi-branch head and the classifier that joins them."""
