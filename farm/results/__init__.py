"""Parquet: the gathered view of plan and store. Knows no engine and no stage function."""
