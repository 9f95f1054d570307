"""What people look at: tables and progress. Knows records and Parquet, never the store."""
