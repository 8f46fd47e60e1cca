"""Label sets: which findings there are, what they are called elsewhere, and what a cell of a table means."""
