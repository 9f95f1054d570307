"""Statistics of raw figures: speeds and shares, replicates over seeds. Pure; knows no files and no records."""
