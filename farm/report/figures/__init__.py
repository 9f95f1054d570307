"""Figures of a run: one altair chart each for the page, SVG and PNG."""

from collections.abc import Callable
from dataclasses import dataclass

from farm.analysis.analysis import Analysis
from farm.report.figures.classes import classes
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
from farm.report.metric import Metric

__all__ = ["FIGURES", "SUFFIXES", "Figure", "figures", "png", "svg", "vega", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSpec:
    """What a figure is called, of which metric, and what plots it: None where the run has nothing for it."""

    title: str
    plot: Callable[[Material], Plot | None]


FIGURES = {
    "losses": FigureSpec(title="{metric} lost against calibration with real images", plot=losses),
    "drops": FigureSpec(title="{metric} lost by quantization, by model and calibration set", plot=drops),
    "classes": FigureSpec(title="{metric} lost by class", plot=classes),
    "sizes": FigureSpec(title="{metric} by how many images calibrate", plot=sizes),
    "speedup": FigureSpec(title="Speed-up over PyTorch and over the FP32 IR", plot=speedup),
    "pareto": FigureSpec(title="Accuracy against speed", plot=pareto),
    "latency": FigureSpec(title="Distribution of latencies", plot=latency),
    "convergence": FigureSpec(title="How each measurement converged", plot=convergence),
    "samples": FigureSpec(title="What the calibration sets look like", plot=samples),
}


def figures(analysis: Analysis) -> tuple[Figure, ...]:
    """The figures that this run has data for, in the order in which a reader wants them."""
    shared, metric = material(analysis), Metric(analysis.metric).title
    plots = ((name, spec.title.format(metric=metric), spec.plot(shared)) for name, spec in FIGURES.items())
    return tuple(
        Figure(name=name, title=title, caption=plot.caption, alt=plot.alt, chart=plot.chart)
        for name, title, plot in plots
        if plot is not None
    )
