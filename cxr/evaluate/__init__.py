"""Numbers with honest intervals, as a pure function of a prediction table."""
