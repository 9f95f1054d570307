"""Training of DiStyleGAN: teacher images (and latents) -> trainer -> checkpoints, curves, sample sheets -> judge."""

CHECKPOINT = "checkpoint.pt"  # in a training's folder: all that it needs to go on
