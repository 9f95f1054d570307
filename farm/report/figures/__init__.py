"""Figures of a run: one altair chart each for the page, SVG and PNG."""

from collections.abc import Callable

from farm.analysis.analysis import Analysis
from farm.report.figures.convergence import convergence
from farm.report.figures.drops import drops
from farm.report.figures.figure import Figure, Material, Plot, material
from farm.report.figures.latency import latency
from farm.report.figures.losses import losses
from farm.report.figures.pareto import pareto
from farm.report.figures.rendering import SUFFIXES, png, svg, vega, write
from farm.report.figures.samples import samples
from farm.report.figures.sizes import sizes
from farm.report.figures.speedup import speedup

__all__ = ["FIGURES", "SUFFIXES", "Figure", "figures", "png", "svg", "vega", "write"]


# Of each figure its title, and what plots it: None where the run has nothing for it.
FIGURES: dict[str, tuple[str, Callable[[Material], Plot | None]]] = {
    "losses": ("Top-1 lost against calibration with real images", losses),
    "drops": ("Top-1 lost by quantization, by model and calibration set", drops),
    "sizes": ("Top-1 by how many images calibrate", sizes),
    "speedup": ("Speed-up over PyTorch and over the FP32 IR", speedup),
    "pareto": ("Accuracy against speed", pareto),
    "latency": ("Distribution of latencies", latency),
    "convergence": ("How each measurement converged", convergence),
    "samples": ("What the calibration sets look like", samples),
}


def figures(analysis: Analysis) -> tuple[Figure, ...]:
    """The figures that this run has data for, in the order in which a reader wants them."""
    shared = material(analysis)
    plots = ((name, title, plot(shared)) for name, (title, plot) in FIGURES.items())
    return tuple(
        Figure(name=name, title=title, caption=plot.caption, alt=plot.alt, chart=plot.chart)
        for name, title, plot in plots
        if plot is not None
    )
