"""farm: a distributed batch-benchmark farm for post-training quantization."""

__version__ = "0.1.0"
