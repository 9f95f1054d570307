"""A grid carried out: resolved, planned, checked, run, gathered. Told who listens; prints nothing."""
