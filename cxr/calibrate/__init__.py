"""How scores become probabilities and decisions: fitted on the validation patients, and carried along with the model."""
