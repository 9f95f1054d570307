"""Fractals in colour, after FractalDB: calibration images without any data.

Method: Kataoka et al. 2020, "Pre-training without Natural Images", and Nakashima et al. 2021 (arXiv 2103.13023):
categories of random systems, each varied by 25 weight vectors; points as 3x3 patches; flips, rotation, a background
colour, blur. Colours, which others take from a network, are farm's own: see `colouring`.

All is computed with integers and with IEEE 754 additions, multiplications, divisions, comparisons and roundings in a
fixed order, each its own torch operation: never a sine, a matrix product or a sum of floats in torch's order. So images
are equal to the byte in every batch, with any number of threads, on every CPU; and on a GPU, as long as no divisor is a
Python number other than a power of two, for which torch multiplies with the reciprocal there.
"""
