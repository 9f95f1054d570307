"""`farm doctor`: findings without measuring, the noise floor, what company costs, and the exit code."""

import json
from dataclasses import asdict

import pytest

from farm.cli import doctor as command
from farm.errors import EngineError
from farm.host import checks
from farm.host.check import bad, doubtful, good
from farm.host.lease import host_cores
from farm.host.topology import Core, measurable
from farm.measuring import colocation
from farm.measuring.pairing import PairedRounds
from farm.measuring.running import RoundCrashed
from farm.measuring.verdict import STRAY, Mismatch, judge
from farm.record import Outcome, Record
from farm.results import gather
from farm.stats.ratios import Ratio
from farm.store import Store
from tests.measuring.rows import one_round

CHECKED = {"governor", "turbo", "SMT", "CPU quota", "affinity mask", "memory", "lock folder", "load"}


def ratio(value, within):
    """A ratio with an interval that goes so far to each side; None: with none."""
    return (
        Ratio(value=value)
        if within is None
        else Ratio(value=value, low=value / (1 + within), high=value * (1 + within))
    )


def record(value=1.0, within=0.005, *, mismatches=(), pairs=16, disturbed=1, **changes):
    """What is gathered of an A/A test, its verdict as it is passed."""
    found = ratio(value, within)
    verdict, cause = judge(mismatches, found, pairs=pairs, disturbed=disturbed, least=8, target=0.01)
    said = {
        "grid": "doctor", "cell": "resnet20/-/ir/CPU", "model": "resnet20", "algorithm": "ir", "device": "CPU",
        "runtime": "openvino", "outcome": "ok", "speedup_ir": value, "speedup_ir_low": found.low,
        "speedup_ir_high": found.high, "pairs": pairs, "disturbed_pairs": disturbed, "foreign_share": 0.12,
        "steal_share": 0.03, "fps": 900.0, "threads": 2, "verdict": verdict, "verdict_cause": cause,
        "mismatches": json.dumps([asdict(mismatch) for mismatch in mismatches]),
    }  # fmt: skip
    return Record(**(said | changes))


ONE_THREAD = Mismatch(property="INFERENCE_NUM_THREADS", asked="2", found="1")
STREAMS, STRAYED = Mismatch(property="NUM_STREAMS", asked="1", found="2"), Mismatch(property=STRAY, asked="", found="7")
SOUND, NOT_KNOWN, NOISY, INVALID, DIFFERS = "show here", "not known", "too noisy", "invalid", "seems to differ"
NOISE = [
    (record(1.0, 0.005), SOUND),
    (record(1.008, 0.003), SOUND),  # a difference, but a negligible one
    (record(1.0, 0.015), SOUND),  # more than the doctor aims at, and enough for a campaign
    (record(0.99, 0.03), NOISY),
    (record(1.02, 0.008), DIFFERS),
    (record(0.9, 0.05), DIFFERS),
    (record(1.0, 0.005, mismatches=(ONE_THREAD, STREAMS)), INVALID),
    (record(1.0, 0.005, pairs=3, disturbed=9), NOT_KNOWN),  # the figures are of disturbed pairs too
    (record(1.0, None, pairs=1, disturbed=9), NOT_KNOWN),
    (record(1.0, None, pairs=0, disturbed=9), NOT_KNOWN),
]
COSTS, SAFE, UNSURE = "would be wrong by that much", "is safe", "not known well enough"
COMPANY = [
    (ratio(0.93, 0.01), COSTS),
    (ratio(0.985, 0.003), COSTS),
    (ratio(0.995, 0.002), SAFE),
    (ratio(1.0, 0.015), SAFE),
    (ratio(1.03, 0.01), SAFE),
    (ratio(0.93, 0.16), UNSURE),
    (ratio(0.99, 0.02), UNSURE),
    (ratio(1.0, None), UNSURE),
    (ratio(0.5, 1e100), UNSURE),
]


@pytest.mark.parametrize(("found", "words"), NOISE)
def test_the_noise_floor_is_told_in_words_that_fit_it(found, words):
    text, _ = command._judged(found)
    assert [each for each in (SOUND, NOT_KNOWN, NOISY, INVALID, DIFFERS) if each in text] == [words]
    assert "doctor.yaml" not in text, "that file is gone when this is read"


def test_words_about_an_unsound_floor_say_why():
    why = "NUM_STREAMS was 2, not 1; threads were allowed on CPUs 7 outside the lease"
    text, _ = command._judged(record(mismatches=(STREAMS, STRAYED)))
    assert text.endswith(f"invalid, so nothing measured here holds: {why}")
    text, _ = command._judged(record(1.0, None, pairs=1, disturbed=9))
    assert "of at least 6 undisturbed pairs there are 1, 9 disturbed" in text
    assert "other programs took 12.0%, the hypervisor took 3.0%" in text


@pytest.mark.parametrize(("found", "words"), COMPANY)
def test_company_costs_is_safe_or_is_not_known_well_enough(found, words):
    text = command._company_text(2, found)
    assert [each for each in (COSTS, SAFE, UNSURE) if each in text] == [words]
    assert ("within" in text) is (found.within is not None and found.within < 1)
    assert len(text) < 200, "an interval without end is not written out"


@pytest.fixture
def diagnosed(monkeypatch, capsys, tmp_path):
    """The doctor where nothing is measured: its exit code, and what it says in JSON or in words.

    floor: what is gathered of the A/A test, or what running it raises. beside: the same of the rounds in company.
    """
    ran = []
    monkeypatch.setenv("FARM_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setattr(command, "host_cores", lambda: (Core(node=0, cpus=(0,)), Core(node=0, cpus=(1,))))

    def diagnose(found=(), *, floor=None, beside=None, failed=(), **options):
        def execute(plan, wanted, *_, **__):
            ran.append(sorted(uri.partition("/")[0] for uri in wanted))
            if isinstance(floor, Exception):
                raise floor
            lost = {uri: "error" if uri.partition("/")[0] in failed else None for uri in plan.stages if uri in wanted}
            there.update(uri for uri, cause in lost.items() if cause is None)
            return {uri: Outcome(uri=uri, label="", error_class=cause) for uri, cause in lost.items()}

        def given(value):
            if isinstance(value, Exception):
                raise value
            return value

        there = set()
        monkeypatch.setattr(checks, "run_checks", lambda _: tuple(found))
        monkeypatch.setattr(command, "execute", execute)
        monkeypatch.setattr(gather, "gather", lambda *_: [floor])
        monkeypatch.setattr(colocation, "colocated", lambda *_, **__: given(beside))
        monkeypatch.setattr(Store, "present", lambda _, uris: there & set(uris))
        monkeypatch.setattr(Store, "open", lambda *_: tmp_path)
        arguments = {"per_node": None, "noise": True, "threads": None, "as_json": True} | options
        code = command.doctor(**arguments)
        out = capsys.readouterr().out
        return code, json.loads(out) if arguments["as_json"] else out

    diagnose.ran = ran
    return diagnose


def company(*pairs, disturbed=()):
    """Rounds with these speeds in company and alone."""
    return PairedRounds(
        rounds=[
            one_round(variant, speed, inferences=speed, pair=number, disturbed=list(disturbed))
            for number, pair in enumerate(pairs)
            for variant, speed in zip(("cell", "ir"), pair, strict=True)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("floor", "words"), NOISE)
def test_the_exit_code_says_what_the_words_say(diagnosed, floor, words):
    code, shown = diagnosed(floor=floor, as_json=False)
    assert words in shown
    assert code == (0 if words == SOUND else 1)
    code, said = diagnosed(floor=floor)
    assert code == (0 if words == SOUND else 1)
    assert "doctor.yaml" not in json.dumps(said)
    assert said["noise"]["pairs"] == floor.pairs
    assert bool(said["noise"]["mismatch"]) is (words == INVALID)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([good("swap", "none")], 0),
        ([doubtful("swap", "some")], 0),
        ([good("swap", "none"), bad("load", "9", "end it")], 1),
    ],
)
@pytest.mark.parametrize("noise", [True, False])
def test_a_bad_check_counts_whatever_the_noise_floor(diagnosed, found, code, noise):
    said_code, said = diagnosed(found, floor=record(), noise=noise)
    assert said_code == code
    assert [each["state"] for each in said["findings"]] == [each.state for each in found]


def test_company_alone_needs_an_export_and_no_noise_floor(diagnosed):
    code, said = diagnosed(beside=company(*[(98, 100), (97, 99), (99, 101)] * 4), noise=False, per_node=2)
    assert diagnosed.ran == [["export"]]
    assert code == 0
    assert set(said) == {"findings", "per_node"}
    assert said["per_node"]["measurements"] == 2
    assert said["per_node"]["pairs"] == 12
    assert said["per_node"]["low"] < said["per_node"]["value"] < said["per_node"]["high"]


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        (company((90, 100), (91, 100), disturbed=("foreign",)), "every pair was disturbed"),
        (RoundCrashed("openvino", 11), "SIGSEGV"),
        (TimeoutError("no cores"), "no cores"),
    ],
)
def test_company_that_could_not_be_measured_is_a_result_beside_the_others(diagnosed, beside, words):
    code, said = diagnosed([good("swap", "none")], floor=record(), beside=beside, per_node=2)
    assert code == 1
    assert words in said["per_node"]["error"]
    assert said["findings"]
    assert said["noise"]["verdict"] == "valid"
    code, shown = diagnosed([good("swap", "none")], floor=record(), beside=beside, per_node=2, as_json=False)
    assert code == 1
    assert "swap" in shown
    assert f"2 at once: not measured: {said['per_node']['error']}" in shown


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"failed": {"export", "evaluate", "measure"}}, "the doctor's own export failed"),
        ({"failed": {"measure"}}, "the doctor's own measure failed"),
        ({"floor": EngineError("no such node")}, "no such node"),
    ],
)
def test_a_doctors_model_that_fails_is_a_result_beside_the_checks(diagnosed, how, words):
    code, said = diagnosed([good("swap", "none")], **how)
    assert code == 1
    assert words in said["noise"]["error"]
    assert said["findings"]


def said_by(place, *arguments):
    """What the doctor says in JSON; any of its two exit codes, since this host is as busy as it is."""
    code, out, err = place.answer("doctor", "--json", *arguments)
    assert code in (0, 1), err
    return json.loads(out), code


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


@pytest.mark.parametrize("option", ["--per-node", "--threads"])
def test_more_than_this_hosts_cores_are_refused_at_once(place, option):
    lent = len(measurable(host_cores()))
    said = place.farm("doctor", option, lent + 1, code=2)
    assert f"{option} {lent + 1}: this host lends {lent} cores to measurements" in said


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(len(measurable(host_cores())) < 2, reason="two measurements at once need two cores")
def test_the_noise_floor_is_a_model_against_itself_and_company_is_compared_with_being_alone(place, monkeypatch):
    for name, short in {"min_seconds": 0.1, "warmup_seconds": 0.1, "pairs": [2, 4]}.items():
        monkeypatch.setitem(command.GRID["settings"]["measure"], name, short)
    monkeypatch.setattr(command, "PAIRS", (2, 4))
    said, code = said_by(place, "--threads", "1", "--per-node", "2")
    noise, beside = said["noise"], said["per_node"]
    assert noise["threads"] == 1
    assert noise["verdict"] in ("valid", "noisy")
    if noise["pairs"]:  # a busy host may disturb every pair: that is a result too
        assert 0.5 < noise["speedup_ir"] < 2, "the same model"
    assert noise["pairs"] + noise["disturbed_pairs"] >= 2
    if "error" in beside:
        assert "every pair was disturbed" in beside["error"]
        assert code == 1
    else:
        assert beside["measurements"] == 2
        assert 0.2 < beside["value"] < 2
    assert not list(place.folder.glob("results/*")), "it measures in a folder of its own"
