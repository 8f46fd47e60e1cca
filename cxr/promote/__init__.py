"""Which model is in use: versions under an alias in the registry, put there by a rule, with every decision on record."""
