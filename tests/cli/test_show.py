"""`farm show`: tables, their forms for other programs, and the live one."""

import csv
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from farm.analysis.rows import ROW_COLUMNS
from farm.results import tables
from farm.results.folder import Folder
from tests.runs import record

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
IR, INT8 = "tiny/-/ir/CPU", "tiny/noise{count=16}/default/CPU"


def test_show_prints_the_table_with_the_worst_class(ran):
    said = ran.farm("show")
    assert "int8 default" in said
    assert "noise{count=16}" in said
    assert "worst class" in said
    assert said == ran.farm("show", "quick") == ran.farm("show", "results/quick") == ran.farm("show", "results")


def test_a_published_folder_without_plan_and_predictions_is_shown_from_its_url_too(place):
    published = place.folder / "published"
    published.mkdir()
    shutil.copy(REFERENCE / "quickstart" / "records.parquet", published)
    said = place.farm("show", published)
    assert "top-1" in said
    assert "int8 default" in said
    assert "worst class" not in said
    assert said == place.farm("show", f"file://{published}")


def test_every_form_for_programs_holds_every_column_of_the_rows_that_are_chosen(ran):
    rows = list(csv.DictReader(io.StringIO(ran.farm("show", "--csv", "--sort", "-cell"))))
    assert [row["cell"] for row in rows] == [INT8, IR]
    assert tuple(rows[0]) == ROW_COLUMNS
    assert rows[1]["calibration"] == ""
    only = ("--where", "calibration=noise")
    [row] = json.loads(ran.farm("show", "quick", "--json", *only))
    assert (row["cell"], tuple(row)) == (INT8, ROW_COLUMNS)
    assert row["score_low"] < row["score"] < row["score_high"]
    assert "1 rows: some.parquet" in ran.farm("show", "--parquet", "some.parquet", *only)
    times = {name: datetime.fromisoformat(row[name]) for name in ("started_at", "finished_at")}
    assert pq.read_table(ran.folder / "some.parquet").to_pylist() == [row | times]
    assert not list(ran.folder.glob("*.new"))


def lines_of(markdown):
    """The table's lines, each as its texts."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[text.strip().replace("\\", "") for text in line.strip("|").split("|")] for line in lines]


def test_markdown_is_the_table_of_the_terminal(ran):
    shown, markdown = ran.farm("show"), ran.farm("show", "--md")
    header, rule, *rows = lines_of(markdown)
    table = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()[:3]]
    assert [header, rows[0], ["", *table[2]]] == [table[0], table[1], rows[1]]
    assert rule == [*["---"] * 3, *["---:"] * 7, *["---"] * 2]


def on_terminal(columns, folder, *arguments):
    """What the command shows on a terminal of this width."""
    screen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "farm", *map(str, arguments)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=terminal, stderr=terminal):
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # nobody has the terminal open any more
            while read := os.read(screen, 65536):
                shown += read
    os.close(screen)
    return re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def wide_enough(tmp_path_factory):
    """A run with every column."""
    folder = tmp_path_factory.mktemp("wide")
    speed = {"fps": 1652.5, "verdict": "valid", "speedup_ir": 1.91, "speedup_ir_low": 1.8, "speedup_ir_high": 2.02}
    cells = [record(**speed), record("noise", algorithm="accuracy-aware{budget_s=900.0}", **speed)]
    written(folder / "made", *(replace(cell, size_mib=0.42, latency_p50_ms=0.593) for cell in cells))
    return folder


def test_in_a_narrow_terminal_names_stand_whole_and_columns_that_have_no_room_are_named(wide_enough):
    lines = on_terminal(80, wide_enough, "show", "made").splitlines()
    assert lines[0].split() == ["model", "variant", "calibration", "top-1", "drop"]
    assert "int8 accuracy-aware{budget_s=900.0}" in lines[2]
    assert " ".join(lines[3:5]).startswith("no room for MiB, FPS, x IR, p50 ms, verdict and outcome: --wide")


def test_all_columns_stand_where_they_are_asked_for_and_where_there_is_no_terminal(wide_enough, place):
    piped = place.farm("show", wide_enough / "made", COLUMNS="80")
    assert "no room" not in piped
    assert len(piped.splitlines()[0]) > 120
    wide = on_terminal(80, wide_enough, "show", "made", "--wide")
    assert wide.splitlines() == piped.splitlines()


def test_columns_are_chosen_by_heading_or_name_in_the_order_they_are_named(ran):
    header = ["model", "variant", "calibration", "FPS", "drop"]
    assert ran.farm("show", "--columns", "fps, drop").splitlines()[0].split() == header
    assert lines_of(ran.farm("show", "--columns", "fps, drop", "--md"))[0] == header


def test_on_a_terminal_chosen_columns_that_have_no_room_are_named(wide_enough):
    chosen = "top-1,drop,MiB,FPS,x IR,p50 ms,verdict"
    lines = on_terminal(60, wide_enough, "show", "made", "--columns", chosen).splitlines()
    assert lines[0].split()[-4:] == ["top-1", "drop", "MiB", "FPS"]
    assert any(line.startswith("no room for x IR, p50 ms and verdict") for line in lines)


def written(folder, *records):
    """A run's results by hand."""
    Folder(str(folder)).write(tables.RECORDS, tables.records(records, {}))
    return folder


def test_what_stands_below_the_table_is_a_list_in_markdown(place):
    speeds = [record("noise", seed=seed, fps=9.0, fps_ir=fps) for seed, fps in ((0, 100.0), (1, 200.0))]
    drops = [replace(each, top1_drop=drop) for each, drop in zip(speeds, (0.01, 0.02), strict=True)]
    folder = written(place.folder / "made", *drops)
    shown, markdown = place.farm("show", folder).splitlines(), place.farm("show", folder, "--md").splitlines()
    texts = {
        "over several seeds, each with its 95 % interval:": "resnet20 noise default: mean drop",
        "compare rows by x IR": "resnet20/CPU: 100.0 to 200.0 FPS",
    }
    for above, below in texts.items():
        for lines, start, hanging in ((shown, "", "    "), (markdown, "- ", "  - ")):
            [at] = [index for index, line in enumerate(lines) if line.startswith(f"{start}{above}")]
            assert lines[at + 1].startswith(f"{hanging}{below}")


AWARE = record("noise", algorithm="accuracy-aware")


def test_a_run_without_such_a_layout_hides_no_other(place):
    plain = written(place.folder / "plain", replace(record("noise"), grid="plain"))
    aware = written(place.folder / "aware", replace(AWARE, grid="aware"))
    asked = ("show", plain, aware, "--layout", "table2")
    [row] = csv.DictReader(io.StringIO(place.farm(*asked, "--csv")))
    assert row == {"grid": "aware", "model": "resnet20", "top-1 noise": "0.9"}
    none = "no cell of the algorithm 'accuracy-aware'"
    name, said, *_ = place.farm(*asked).splitlines()
    assert (name, said) == ("plain", none)
    assert place.farm(*asked, "--md").startswith(f"### plain\n\n{none}\n\n### aware\n\n| model |")
    assert f"farm: --layout table2: {none} to show" in place.farm("show", plain, plain, "--layout", "table2", code=2)


def test_what_no_cell_has_is_a_sentence_and_no_error(ran):
    asked = ("--where", "outcome=failed")
    assert ran.farm("show", *asked) == ran.farm("show", "--layout", "table1", *asked) == "no cell has outcome=failed\n"
    assert ran.farm("show", *asked, "--md") == "no cell has outcome=failed\n"
    assert json.loads(ran.farm("show", *asked, "--json")) == []
    assert ran.farm("show", *asked, "--csv") == f"{','.join(ROW_COLUMNS)}\n"
    assert ran.farm("show", *asked, "--csv", "--layout", "table1") == ""


def test_rows_are_chosen_and_sorted_by_what_the_table_calls_them(ran):
    [row] = json.loads(ran.farm("show", "--json", "--where", "variant=int8 default"))
    assert row["cell"] == INT8
    rows = json.loads(ran.farm("show", "--json", "--sort", "-MiB"))
    assert [row["cell"] for row in rows] == [INT8, IR]


def test_several_grids_stand_under_their_names_or_are_joined_with_a_column_of_them(ran):
    shutil.copytree(ran.folder / "results", ran.folder / "before")
    places = ("results/quick", "before/quick")
    said = ran.farm("show", *places).splitlines()
    assert [line for line in said if line.endswith("/quick")] == [str(ran.folder / place) for place in places]
    joined = json.loads(ran.farm("show", *places, "--json", "--sort", "cell"))
    assert [Path(row["grid"]).parent.name for row in joined] == ["results", "before"] * 2
    headings = [line for line in ran.farm("show", *places, "--md").splitlines() if line.startswith("###")]
    assert [heading.rpartition("/copy/")[2] for heading in headings] == list(places)
    assert "\n\nquickstart\n" in ran.farm("show", "quick", REFERENCE / "quickstart")


def test_a_row_a_model_on_the_terminal_and_as_markdown(ran):
    assert ran.farm("show", "--layout", "table1").splitlines()[1].split()[:4] == [
        "model",
        "FP32",
        "IR",
        "noise{count=16}",
    ]
    header, _, row, *_ = ran.farm("show", "--layout", "table1", "--md").splitlines()
    assert header.startswith(r"| model | top-1 FP32 IR | top-1 noise\{count=16\} |")
    assert row.startswith("| tiny | ")
    [values] = csv.DictReader(io.StringIO(ran.farm("show", "--layout", "table1", "--csv")))
    [fps] = [row["fps"] for row in json.loads(ran.farm("show", "--json", "--where", "algorithm=default"))]
    assert values.pop("model") == "tiny"
    assert [float(value) for value in values.values()][-1] == pytest.approx(fps)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--where", "outcome=faild"), "means no cell, did you mean 'failed'"),
        (("--where", "calibration=nois"), "means no cell, did you mean 'noise"),
        (("--where", "modle=tiny"), "did you mean 'model'"),
        (("--sort", "-fsp"), "did you mean 'fps'"),
        (("--columns", "drop,fsp"), "--columns fsp: no such column, did you mean 'FPS'"),
        (("--columns", "foo:bar"), "--columns foo:bar: the metric is top-1"),
        (("--columns", ","), "--columns ',' names no column"),
        (("--columns", "drop", "--csv"), "--csv holds every column: leave out --columns"),
        (("--columns", "drop", "--layout", "table1"), "--columns chooses columns of cells: leave out --layout table1"),
        (("--watch", "--wide"), "--watch and --wide: choose one"),
        (("--layout", "table3"), "did you mean 'table"),
        (("--layout", "table2"), "no cell of the algorithm 'accuracy-aware'"),
        (("--layout", "table1", "--json"), "--json holds cells"),
        (("--csv", "--md"), "--csv and --md: choose one"),
        (("--json", "--watch"), "--json and --watch: choose one"),
        (("--parquet", "nowhere/x.parquet"), "cannot write nowhere/x.parquet"),
        (("--sheet", "sheet.txt"), "--sheet sheet.txt: no picture can be written as .txt: name a file such as"),
        (("quik",), "did you mean 'quick'"),
        (("other/quick",), "there is no other/quick/records.parquet"),
        (("memory://nothing",), "there is no memory://nothing/records.parquet"),
        (("quick", "quick", "--watch"), "name one"),
        ((REFERENCE / "quickstart", "--watch"), "leave out --watch"),
    ],
)
def test_what_cannot_be_shown_is_one_clear_error(ran, arguments, text):
    assert text in ran.farm("show", *arguments, code=2)


@pytest.fixture
def halfway(ran):
    """A run under way, whose int8 cell is not evaluated yet, and what ends that: an artefact, and the driver's note."""
    plan = json.loads((ran.folder / "results" / "quick" / "plan.json").read_text())
    [uri] = [cell["stages"]["evaluate"] for cell in plan["cells"] if cell["name"] == INT8]
    [manifest] = ran.folder.glob(f"results/store/evaluate/*/{uri.partition('/')[2]}/manifest.json")
    manifest.rename(manifest.with_name("waiting"))
    events = ran.folder / "results" / "quick" / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    about = [line for line in lines if json.loads(line).get("uri") == uri]
    events.write_text("".join(line for line in lines[:-1] if line not in about))  # the last one: the run is over

    def end():
        manifest.with_name("waiting").rename(manifest)
        with events.open("a") as file:
            file.write("".join([*about, lines[-1]]))

    return ran, end


@contextmanager
def watching(ran, *arguments):
    """`farm show --watch` of the run, ended with the test whatever comes."""
    with ran.start("show", "--watch", "--every", "0.1", *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def until(stream, text):
    """The lines of a process up to the one with the text."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"no {text!r} in {lines}")


def test_a_live_table_is_printed_when_it_changed_and_ends_with_the_run_and_writes_nothing(halfway):
    ran, end = halfway
    (ran.folder / "results" / "quick" / "records.parquet").write_bytes(b"half of it")
    before = sorted((ran.folder / "results").rglob("*"))
    with watching(ran) as process:
        first = until(process.stdout, "pending")
        done, stages = map(int, re.match(r"quick: (\d+) of (\d+) stages done; 1 of 2 cells ok", first[0]).groups())
        assert done == stages - 1
        end()
        rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert rest.count("stages done") == 1
    _, now, table = rest.partition(f"quick: {stages} of {stages} stages done; 2 of 2 cells ok")
    assert now
    assert "pending" not in table
    assert len(sorted((ran.folder / "results").rglob("*"))) == len(before)


def test_ctrl_c_ends_the_look_and_not_the_run(halfway):
    ran, _ = halfway
    with watching(ran, "--where", "outcome=failed") as process:
        until(process.stdout, "no cell has outcome=failed")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "a run that is under way goes on" in out
