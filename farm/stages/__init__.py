"""The stage functions. Each takes a `job.Job`, leaves its files in the job's folder, and returns the facts."""
