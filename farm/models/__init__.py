"""Architectures, model files and what they say of themselves. Knows no images."""
