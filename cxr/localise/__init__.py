"""How much the disease maps are worth: whether they point at where a finding truly is, beside maps that know less."""
