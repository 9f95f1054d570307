"""What a model is for: its targets, what is kept of a prediction, the metric."""
