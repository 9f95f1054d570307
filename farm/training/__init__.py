"""Training of generators: today DiStyleGAN's. Knows images and networks, no grid, no engine.

teacher images (and their latents) -> trainer -> checkpoints, curves, sample sheets -> judge
"""
