"""Images and labels: what a set is, readers of folders and Parquet, sampling, fitting. Knows no models."""
