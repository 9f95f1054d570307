"""The host that a stage runs on: its cores, leases on them, and its facts. Knows no stages and no Ray."""
