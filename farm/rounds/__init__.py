"""Rounds of a measurement, each played in a fresh interpreter. Knows models and hosts, no stages and no pairs."""
