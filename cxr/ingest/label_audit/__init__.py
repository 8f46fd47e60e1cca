"""The account of the labels that goes with every import: what is known, what contradicts itself, what stands there twice."""
