"""Two score sets on the same patients."""
