"""`farm doctor`: findings without measuring, the noise floor, and what company costs."""

import json

import pytest

from farm.host.lease import host_cores
from farm.host.topology import measurable

CHECKED = {"governor", "turbo", "SMT", "CPU quota", "affinity mask", "memory", "lock folder", "load"}


def said_by(place, *arguments):
    """What the doctor says in JSON; any of its two exit codes, since this host is as busy as it is."""
    with place.start("doctor", "--json", *arguments) as process:
        out, err = process.communicate(timeout=240)
    assert process.returncode in (0, 1), err
    return json.loads(out), process.returncode


def test_a_host_is_checked_without_measuring(place):
    said, code = said_by(place, "--no-noise")
    assert set(said) == {"findings"}
    assert {each["what"] for each in said["findings"]} >= CHECKED
    assert all(each["state"] in ("good", "doubtful", "bad") and each["says"] for each in said["findings"])
    assert code == int(any(each["state"] == "bad" for each in said["findings"]))


def test_the_table_says_what_to_change(place):
    locks = place.folder / "locks"
    locks.write_text("a file")
    shown = place.farm("doctor", "--no-noise", code=1, FARM_LOCKS=str(locks))
    (line,) = (line for line in shown.splitlines() if "lock folder" in line)
    assert line.startswith("bad")
    assert "-> export FARM_LOCKS=FOLDER" in shown


def test_more_measurements_at_once_than_cores_are_refused_at_once(place):
    lent = len(measurable(host_cores()))
    said = place.farm("doctor", "--per-node", lent + 1, code=2)
    assert f"--per-node {lent + 1}: this host lends {lent} cores to measurements" in said


@pytest.mark.slow
@pytest.mark.skipif(len(measurable(host_cores())) < 2, reason="two measurements at once need two cores")
def test_the_noise_floor_is_a_model_against_itself_and_company_is_compared_with_being_alone(place):
    said, _ = said_by(place, "--threads", "1", "--per-node", "2")
    noise = said["noise"]
    assert noise["threads"] == 1
    assert noise["verdict"] in ("valid", "noisy")
    assert 0.5 < noise["speedup_ir"] < 2, "the same model, however busy the host"
    assert noise["pairs"] + noise["redone_pairs"] >= 8
    assert said["per_node"]["measurements"] == 2
    assert 0.2 < said["per_node"]["value"] < 2
    assert not list(place.folder.glob("results/*")), "it measures in a folder of its own"
