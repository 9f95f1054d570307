"""What stands behind the numbers."""

import json
from dataclasses import replace

from farm.plan import Plan
from farm.report.page.facts import facts, failures, versions
from farm.results.folder import Folder
from tests.report.page.scenes import failed, study
from tests.runs import record


def test_failures_of_one_cause_are_one_with_all_cells_and_the_next_commands():
    (found,) = failures([failed("a", error_message="no"), failed("b", error_message="no")], "farm run g.yaml")
    assert found.cells == ("a/broken/default/CPU{threads=4}", "b/broken/default/CPU{threads=4}")
    assert (found.first.error_class, found.about) == ("error", "a Python exception; never retried by itself")
    assert found.commands == ("farm why 'a/broken/default/CPU{threads=4}'", "farm run g.yaml --failed")


def test_two_causes_are_two_failures():
    found = failures([failed("a"), failed("a", error_class="oom"), failed("b")], "")
    assert [each.first.error_class for each in found] == ["error", "error", "oom"]
    assert found[0].commands == ("farm why 'a/broken/default/CPU{threads=4}'",)


def test_versions_of_all_cells_are_gathered_and_differences_shown():
    first, second = (record(versions=json.dumps({"nncf": each, "torch": "2"})) for each in ("3.4", "3.5"))
    assert versions([first, second, record()]) == {"nncf": "3.4 and 3.5", "torch": "2"}


def test_the_plan_says_the_command_and_the_effort(tmp_path):
    folder = Folder(str(tmp_path))
    folder.write_plan(Plan(command="farm run jobs/x.yaml"))
    found = facts(replace(study(), folder=folder))
    assert "farm run jobs/x.yaml" in found.again
    assert found.again[0] == "pip install nncf==3.4.0 openvino==2026.4.1 torch==2.14.1"
    assert "Asked for: 6 to 24 pairs, within 2.0%, in 60 s a cell." in found.measured


def test_a_published_run_without_its_plan_says_so():
    found = facts(study())
    assert any("the grid named 'small study'; its plan is not with its results" in each for each in found.again)
    assert not any("Asked for" in each for each in found.measured)


def test_the_hosts_are_those_where_speed_was_measured_each_once():
    found = facts(study(seeds=2))
    assert found.hosts == (
        ("bench-1", "Some CPU @ 2.50GHz", "avx512_vnni", "4", "CPU{threads=4}", "4", "1", "f32"),
    )  # fmt: skip
    assert found.where == "Some CPU @ 2.50GHz"
    assert found.when == "2026-11-25 08:00 to 09:30 UTC"


def test_of_several_hosts_their_number_is_said():
    run = study()
    elsewhere = tuple(replace(each, host="bench-2" if at % 2 else each.host) for at, each in enumerate(run.records))
    assert facts(replace(run, records=elsewhere)).where == "2 hosts"


def test_a_run_that_measured_nothing_says_nothing_of_rounds():
    found = facts(replace(study(), records=(record(), record("noise")), predictions={}))
    assert found.measured[0] == "Each int8 model and its FP32 IR saw the same test images."
    assert not any("rounds" in text or "Wilson" in text for text in found.measured)
    assert (found.hosts, found.where, found.when) == ((), "", "")


def test_a_cell_is_said_to_take_turns_with_its_fp32_ir():
    text = " ".join(facts(study()).measured)
    assert "the cell's and its FP32 IR's, by turns: 8 undisturbed pairs a cell" in text
    assert "99 % interval. Timed: inference." in text
    assert "side by side" not in text


def test_records_that_do_not_know_what_was_timed_say_nothing_of_it():
    found = study()
    records = tuple(replace(each, timed=None) for each in found.records)
    assert "Timed" not in " ".join(facts(replace(found, records=records)).measured)


def test_what_must_be_known_of_a_calibration_set_is_said_once():
    noted = [record("gan", model=model, calibration_note="not distilled") for model in ("a", "b")]
    assert facts(replace(study(), records=tuple(noted))).notes == ("gan: not distilled",)
