"""What may be said of a new model beside the one it may replace, and whether the rule for its promotion holds."""
