"""Convolutions of 3x3 between styles, whose weights all images of a batch share. Knows shapes, not networks.

Scaling the weights by an image's styles is scaling the input, and normalising them is scaling the output (Karras et
al. 2020, arXiv 1912.04958, section 2.2): ``scale * (weight * (styles x)) + shift``. Maps are (n, H, W, channels).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from farm.generators.equipment import fast_bfloat16

TILE, REACH = 4, 6  # pixels along a side that are computed together, and of what they are computed from
SPACE = 1 << 22  # numbers of what is between input and output of a part: 16 MiB
WIDE = 192  # channels; with fewer, transforming costs more than it saves

# Lavin, Gray 2016 (arXiv 1509.09308), section 4.3: what transforms an input, a kernel (its 24-fold) and a product
INPUT = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0]]
INPUT += [[0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
KERNEL = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
PRODUCT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]

# of a transposed convolution along one axis: the output's even and odd pixels, the taps that they meet, the border
PHASES = ((0, (2, 0), 1), (1, (1,), 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """A convolution as torch does it. convolve: (n, inputs, h, w) to (n, outputs, H, W), with weights of `dtype`."""

    convolve: Callable[[Tensor], Tensor]
    dtype: torch.dtype

    def __call__(self, x: Tensor, styles: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """``scale * (weight * (styles x)) + shift``.

        x: (n, h, w, inputs). styles: (n, inputs). scale: (n, outputs). shift: (1, H, W, outputs). Returns
        (n, H, W, outputs) where H, W are h, w or twice as much.
        """
        into = x.new_empty(len(x), *shift.shape[1:])
        for part, style, factor, target in _parts(into[0].numel(), x, styles, scale, into):
            modulated = (part * style[:, None, None]).to(self.dtype)
            convolved = self.convolve(modulated.permute(0, 3, 1, 2))
            torch.addcmul(shift, convolved.permute(0, 2, 3, 1), factor[:, None, None], out=target)
        return into


@dataclass(frozen=True, slots=True, kw_only=True)
class Winograd:
    """A quarter of the multiplications: Lavin, Gray 2016, arXiv 1509.09308. weight: (36, inputs, outputs)."""

    weight: Tensor

    def __call__(self, x: Tensor, styles: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """As `Direct`, to the same side, which is a multiple of 4."""
        into = x.new_empty(len(x), *shift.shape[1:])
        numbers = max(x[0].numel(), into[0].numel()) * REACH**2 // TILE**2
        for part, style, factor, target in _parts(numbers, x, styles, scale, into):
            self._compute(part, style, factor, shift, target)
        return into

    def _compute(self, x: Tensor, styles: Tensor, scale: Tensor, shift: Tensor, into: Tensor) -> None:
        many, height, width, inputs = x.shape
        padded = self.weight.new_zeros(many, height + 2, width + 2, inputs)
        torch.mul(x, styles[:, None, None], out=padded[:, 1:-1, 1:-1])
        tiles = padded.unfold(1, REACH, TILE).unfold(2, REACH, TILE).permute(4, 5, 0, 1, 2, 3)
        transformed = INPUTS @ tiles.reshape(REACH**2, -1)
        products = torch.bmm(transformed.view(REACH**2, -1, inputs), self.weight)
        tiles_out = (PRODUCTS @ products.view(REACH**2, -1)).view(TILE, TILE, many, height // TILE, width // TILE, -1)
        parts = tiles_out.permute(2, 3, 0, 4, 1, 5)
        target, shifts = into.view(parts.shape), shift.view(1, *parts.shape[1:])
        torch.addcmul(shifts, parts, scale[:, None, None, None, None], out=target)


Convolution = Direct | Winograd


def convolution(weight: Tensor, taps: Tensor | None, *, device: str, dtype: torch.dtype) -> Convolution:
    """A convolution of these weights, prepared for a device.

    weight: float64 (outputs, inputs, 3, 3). taps: float64 (4, 4), of the filter to twice the side; None: same side.
    dtype: of what is multiplied; sums are in float32.
    """
    held = dtype
    if device == "cpu" and dtype == torch.bfloat16 and not fast_bfloat16():
        weight, held = weight.to(dtype).double(), torch.float32  # the same products, in float32
    if taps is not None:
        kernels = [weight[:, :, rows][:, :, :, columns] for (_, rows, _), (_, columns, _) in product(PHASES, PHASES)]
        filters = (taps * 4).flip((0, 1)).expand(len(weight), 1, -1, -1)  # three of four pixels were zeros
        weights = [_put(kernel, device, held) for kernel in kernels]
        return Direct(convolve=partial(_doubled, weights, _put(filters, device, held)), dtype=held)
    if device == "cpu" and held == torch.float32 and min(weight.shape[:2]) >= WIDE:
        kernel = torch.tensor(KERNEL, dtype=torch.float64) / 24
        transformed = torch.einsum("ai,bj,ocij->abco", kernel, kernel, weight).flatten(0, 1)
        return Winograd(weight=transformed.to(held).contiguous())
    return Direct(convolve=partial(conv2d, weight=_put(weight, device, held), padding=1), dtype=held)


def _doubled(weights: Sequence[Tensor], taps: Tensor, x: Tensor) -> Tensor:
    """A transposed convolution to twice the side, (n, outputs, 2 h + 1, 2 w + 1), and the filter after it.

    The output's even and odd rows and columns meet other taps: they are four convolutions, which are faster than a
    transposed one. weights: of these, (outputs, inputs, 1 or 2, 1 or 2). taps: (outputs, 1, 4, 4).
    """
    many, _, height, width = x.shape
    size = (many, len(taps), 2 * height + 1, 2 * width + 1)
    spread = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for weight, ((row, _, above), (column, _, beside)) in zip(weights, product(PHASES, PHASES), strict=True):
        spread[:, :, row::2, column::2] = conv2d(x, weight, padding=(above, beside))
    return conv2d(spread, taps, padding=1, groups=len(taps))


def _put(value: Tensor, device: str, dtype: torch.dtype) -> Tensor:
    return value.to(device, dtype).contiguous(memory_format=torch.channels_last)


def _parts(
    numbers: int, x: Tensor, styles: Tensor, scale: Tensor, into: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The same images of all four, as many at once as the caches hold. numbers: of one, between input and output."""
    most = len(x) if x.is_cuda else max(1, SPACE // numbers)
    return zip(*(torch.split(tensor, most) for tensor in (x, styles, scale, into)), strict=True)


def _twice(matrix: list[list[int]]) -> Tensor:
    """A transform along both axes, of pixels in one."""
    once = torch.tensor(matrix, dtype=torch.float32)
    return torch.kron(once, once)


INPUTS, PRODUCTS = _twice(INPUT), _twice(PRODUCT)
