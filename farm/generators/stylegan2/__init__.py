"""StyleGAN2-ADA (Karras et al. 2020, arXiv 1912.04958 and 2006.06676) from NVIDIA's pickles, in farm's own code."""
