"""What the page of ten thousand cells takes: to make, to open, to sort and to filter.

A made-up run, as the page's tests have it, of a hundred networks with a hundred calibration sets each: with predictions
of 2,000 test images a cell, speeds and all figures that follow. It is made as `farm report` makes it, without reading
files. Then headless Chromium (as in tests/browser) opens it, until its table is drawn and its script has told how many
cells there are; sorts by numbers and by words; and looks for words. Each is the median of five, in milliseconds;
sorting and finding until the page has its new layout. `--quick`: of a thousand cells, once.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright
from processes import say
from publishing import NO_GOAL, goal, options, parser, publish

sys.path.insert(0, str(Path(__file__).parents[2]))

from farm.analysis.analysis import analyse
from farm.report.figures import figures
from farm.report.page import document, pictures, section
from tests.report.page.scenes import study

NAME = "page"
CELLS, SETS = 10_000, 98  # and two baselines a network
TIMES = 5
MOST_OPEN_MS, MOST_SORT_MS = 5000.0, 500.0
TOLD = ".count:not(:empty)"
CLICK = """(title) => {
    const heads = [...document.querySelectorAll("table.cells thead th")];
    const button = heads.find((head) => head.textContent.includes(title)).querySelector("button");
    const begun = performance.now();
    button.click();
    document.body.offsetHeight;
    return performance.now() - begun;
}"""
FIND = """(words) => {
    const field = document.querySelector("input[name=words]");
    const begun = performance.now();
    field.value = words;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.offsetHeight;
    return performance.now() - begun;
}"""


def main() -> None:
    """Make, open, sort, find, publish."""
    quick = options(parser(__doc__)).quick
    cells, times = (1000, 1) if quick else (CELLS, TIMES)
    program = shutil.which("chromium")
    if program is None:
        sys.exit("the page is timed in Chromium: apt-get install chromium")
    sets = ("cifar10", *(f"set{number}" for number in range(1, SETS)))
    run = study(models=[f"network{number}" for number in range(cells // (SETS + 2))], sets=sets)
    say(f"a page of {len(run.records)} cells")
    begun = time.monotonic()
    analysis = analyse(run)
    page = document([section(analysis, pictures(figures(analysis)))])
    rows = [row("make", 1000 * (time.monotonic() - begun))]
    with tempfile.TemporaryDirectory(prefix="bench") as folder, sync_playwright() as playwright:
        path = Path(folder, "report.html")
        path.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page()
        rows.append(row("open", usual(lambda: opened(tab, path), times), MOST_OPEN_MS))
        sorts = {title: partial(tab.evaluate, CLICK, title) for title in ("Drop", "Calibration")}
        rows += [row(f"sort by {title}", usual(sort, times), MOST_SORT_MS) for title, sort in sorts.items()]
        words = iter(f"set{number}" for number in range(1, SETS))
        rows.append(row("find words", usual(lambda: tab.evaluate(FIND, next(words)), times), MOST_SORT_MS))
        browser.close()
    publish(NAME, rows, note=f"{len(run.records)} cells, {len(page) / 1e6:.0f} MB.")


def opened(tab: Page, path: Path) -> float:
    """How long the page takes to open."""
    begun = time.monotonic()
    tab.goto(path.as_uri())
    tab.locator(TOLD).first.wait_for()
    return 1000 * (time.monotonic() - begun)


def usual(once: Callable[[], float], times: int) -> float:
    """The median of so many."""
    return median(once() for _ in range(times))


def row(what: str, took_ms: float, most_ms: float | None = None) -> dict[str, Any]:
    """A row. most_ms: its goal, if it has one."""
    met = most_ms is not None and took_ms <= most_ms
    aim = goal(f"at most {most_ms:,.0f} ms", met=met, reason=f"{took_ms:,.0f} ms") if most_ms else NO_GOAL
    return {"what": what, "took_ms": took_ms, **aim}


if __name__ == "__main__":
    main()
