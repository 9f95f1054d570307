"""DiStyleGAN, the study's small generator: a class-conditional GAN for 32x32, distilled from StyleGAN2-ADA.

Its architecture and checkpoint layout are the study's; it is distilled in the manner of TinyGAN (Chang, Lu 2020,
arXiv 2009.13829).
"""
