"""Training of generators: today DiStyleGAN's. Knows images and networks, no grid, no engine.

teacher images (and their latents) -> trainer -> checkpoints, curves, sample sheets -> judge
"""

CHECKPOINT = "checkpoint.pt"  # in a training's folder: all that it needs to go on
