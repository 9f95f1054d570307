"""Draw ``docs/scaling.png`` from the published tables: ``python docs/making/scaling.py``."""

from pathlib import Path
from typing import Any

import altair as alt
import pyarrow.parquet as pq

from farm.report.figures.style import data

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "results" / "reference" / "bench"
OUT = ROOT / "docs" / "scaling.png"
DRAWN = ("first gather", "gather", "nothing to do", "show", "plan")  # of what is done locally
SIZE = {"width": 330, "height": 240}


def main() -> None:
    """Both panels, side by side."""
    chart = alt.hconcat(_policy(_rows("policy")), _cells(_rows("scale"))).resolve_scale(color="independent")
    chart.configure_view(stroke=None).configure_axis(grid=True, gridColor="#e8e8e8").save(OUT, scale_factor=2)


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(BENCH / f"{name}.parquet").to_pylist()
    return rows


def _policy(rows: list[dict[str, Any]]) -> Any:
    """How near the driver's own policy comes to what no policy can beat, by nodes."""
    line = alt.Chart(data(rows)).mark_line(point={"size": 50, "filled": True}).encode(
        x=_log("nodes", "nodes", sorted({row["nodes"] for row in rows})),
        y=alt.Y("share:Q", title="lower bound / time taken", scale=alt.Scale(domain=[0.5, 1.0])),
        color=alt.Color("what:N", title=None, sort=["alike", "mixed", "spot"]),
        strokeDash=alt.StrokeDash("known:N", legend=None, sort=["a tenth", "nothing"]),
    )  # fmt: skip
    aims = {row["nodes"]: float(row["goal"].rpartition(" ")[2].rstrip("%")) / 100 for row in rows if row["goal"]}
    goal = alt.Chart(data([{"nodes": nodes, "share": share} for nodes, share in aims.items()])).mark_tick(
        color="black", thickness=2, size=24, orient="horizontal"
    ).encode(x="nodes:Q", y="share:Q")  # fmt: skip
    return alt.layer(line, goal).properties(title="Simulated clusters (dashed: nothing known; ticks: goals)", **SIZE)


def _cells(rows: list[dict[str, Any]]) -> Any:
    """How long each thing takes, by cells."""
    times = [
        {"cells": row["cells"], "what": row["what"], "seconds": row["wall_s"]}
        for row in rows
        if row["store"] == "local" and row["what"] in DRAWN
    ]
    axis = alt.Axis(format="~g", values=[0.01, 0.1, 1, 10, 100, 1000])
    return alt.Chart(data(times)).mark_line(point={"size": 50, "filled": True}).encode(
        x=_log("cells", "cells", sorted({row["cells"] for row in times})),
        y=alt.Y("seconds:Q", title="wall time, s", scale=alt.Scale(type="log"), axis=axis),
        color=alt.Color("what:N", title=None, sort=list(DRAWN)),
    ).properties(title="farm itself, local store", **SIZE)  # fmt: skip


def _log(name: str, title: str, values: list[int]) -> alt.X:
    axis = alt.Axis(values=values, format=",d")
    return alt.X(f"{name}:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=14), axis=axis)


if __name__ == "__main__":
    main()
