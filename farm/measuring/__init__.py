"""How speed is measured: rounds of fresh interpreters, their pairs and verdicts. Knows models and hosts, no stages."""
