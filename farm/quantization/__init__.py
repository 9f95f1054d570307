"""From an FP32 IR to an int8 one: algorithms, and where it hurts. Knows NNCF, no stages."""
