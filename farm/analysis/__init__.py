"""What may be said of runs: intervals, standing, replicates over seeds, comparison. Computed once, read by reports."""
