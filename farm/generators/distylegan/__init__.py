"""DiStyleGAN, the study's generator for 32x32, distilled from StyleGAN2-ADA as in TinyGAN (arXiv 2009.13829)."""
