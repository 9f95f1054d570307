"""Figures of a run: one altair chart each for the page, SVG and PNG."""

from collections.abc import Callable
from dataclasses import dataclass

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
from farm.results.reading import Run

__all__ = ["FIGURES", "SUFFIXES", "Figure", "FigureSpec", "figures", "png", "svg", "vega", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSpec:
    """A figure's title, and what draws it: None where the run has nothing to draw."""

    title: str
    draw: Callable[[Material], Plot | None]


FIGURES: dict[str, FigureSpec] = {
    "losses": FigureSpec(title="Top-1 lost against calibration with real images", draw=losses),
    "drops": FigureSpec(title="Top-1 lost by quantization, by model and calibration set", draw=drops),
    "sizes": FigureSpec(title="Top-1 by how many images calibrate", draw=sizes),
    "speedup": FigureSpec(title="Speed-up over PyTorch and over the FP32 IR", draw=speedup),
    "pareto": FigureSpec(title="Accuracy against speed", draw=pareto),
    "latency": FigureSpec(title="Distribution of latencies", draw=latency),
    "convergence": FigureSpec(title="How each measurement converged", draw=convergence),
    "samples": FigureSpec(title="What the calibration sets look like", draw=samples),
}


def figures(run: Run) -> tuple[Figure, ...]:
    """The figures that this run has data for, in the order in which a reader wants them."""
    found = material(run)
    drawn = ((name, spec.title, spec.draw(found)) for name, spec in FIGURES.items())
    return tuple(
        Figure(name=name, title=title, caption=drawing.caption, alt=drawing.alt, chart=drawing.chart)
        for name, title, drawing in drawn
        if drawing is not None
    )
