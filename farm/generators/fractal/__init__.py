"""Fractals in colour: calibration images without any data, after FractalDB.

Method: Kataoka et al. 2020, "Pre-training without Natural Images", and Nakashima et al. 2021 (arXiv 2103.13023):
categories of random systems whose attractors fill enough of the canvas, each varied by 25 weight vectors; points
as 3x3 patches; flips, rotation, a background colour, blur. Colours, which others take from a network, are farm's own:
see `colouring`.

Everything is computed with integers and with IEEE 754 additions, multiplications, divisions, comparisons and roundings
of floats in a fixed order, each its own torch operation: never a sine, a matrix product or a sum of floats in an order
that is torch's to choose. So images are equal to the byte in every batch, with any number of threads and on every
instruction set. A GPU does the same, as long as no divisor is a Python number other than a power of two: by such a
number torch does not divide there, it multiplies with the reciprocal.
"""
