"""`farm report`: the page, and its figures as files. It reads results, and runs nothing."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fsspec.implementations.local import LocalFileSystem
from typer import Argument, Option

from farm.cli.options import DEFAULT_RESULTS, Results, say
from farm.files import replaced_for
from farm.results.folder import Folder
from farm.results.location import Location

PAGE = "report.html"
MIB = 1 << 20
EXAMPLES = """
farm report table1 --figures figures

farm report table1 table2 --out both.html --still
"""


def report(
    grids: Annotated[
        list[str] | None,
        Argument(metavar="[GRID]...", help="Grids' names or results folders; the one run last by default."),
    ] = None,
    out: Annotated[
        Path | None, Option(metavar="FILE.html", help="The page; report.html beside the results by default.")
    ] = None,
    figures: Annotated[
        Path | None, Option(metavar="DIR", help="Also save each figure as SVG, PNG and Vega-Lite.")
    ] = None,
    still: Annotated[
        bool, Option("--still", help="Figures as pictures: a small page, without tooltips and without Vega's code.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
) -> int:
    """Make one HTML page of a run: what may be claimed, the table, figures, failures, and how to do it again."""
    from farm.analysis.analysis import analyse  # noqa: PLC0415 - altair, scipy and vl-convert are for those who report
    from farm.report import figures as charts  # noqa: PLC0415
    from farm.report.page import document, pictures, section  # noqa: PLC0415
    from farm.results.reading import names_of, read_run  # noqa: PLC0415

    named: Sequence[str | None] = grids or (None,)
    folders = [Location.of(results).grid(name) for name in named]
    target = out or _place(folders)
    runs = [read_run(folder) for folder in folders]
    names = names_of(runs)
    analyses = [analyse(run) for run in runs]
    plotted = [charts.figures(analysis) for analysis in analyses]
    parts = zip(analyses, plotted, names, strict=True)
    sections = [section(analysis, pictures(of), name) for analysis, of, name in parts]
    page = document(sections, lively=not still).encode()
    with replaced_for("file: --out FILE.html", target) as new:
        new.write_bytes(page)
    say(f"{target} ({len(page) / MIB:.1f} MiB): open it in a browser")
    if figures is not None:
        for name, of in zip(_file_names(names), plotted, strict=True):
            folder = figures / name if len(runs) > 1 else figures
            files = charts.write(of, folder)
            say(f"{folder}: {len(files)} files of figures")
    return 0


def _file_names(names: Sequence[str]) -> list[str]:
    """Grids' names or URLs as names of folders, each of its own, whatever stands in them."""
    plain = [re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run" for name in names]
    return [f"{name}-{at}" if plain.count(name) > 1 else name for at, name in enumerate(plain, 1)]


def _place(folders: Sequence[Folder]) -> Path:
    """Beside the results of one grid, where that is a local folder that may be written; else here."""
    first = folders[0]
    local = len(folders) == 1 and isinstance(first.fs, LocalFileSystem)
    return Path(first.root, PAGE) if local and os.access(first.root, os.W_OK) else Path(PAGE)
