"""The grid: what a user declares in YAML, checked at once and expanded into cells. Knows no stages."""
