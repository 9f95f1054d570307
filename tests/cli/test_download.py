"""Weights at an address: fetched once, checked, and a failure of those cells alone that need them."""

import hashlib
import json

import pytest
import safetensors.numpy
from numpy.random import default_rng

INLINE = ("--engine", "inline")
SHAPES = {"0.weight": (8, 3, 3, 3), "0.bias": (8,), "4.weight": (10, 32), "4.bias": (10,)}


def weights(seed):
    """A checkpoint of the tiny network."""
    random = default_rng(seed)
    return safetensors.numpy.save({name: random.standard_normal(shape, "f4") for name, shape in SHAPES.items()})


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def grid(place, server):
    """A grid of models whose weights a server has: two as they should be, one other than its name says."""
    first, second = weights(1), weights(2)
    good, bad = f"/net-{sha256(first)[:8]}.safetensors", "/net-0123abcd.safetensors"
    server.files = {good: first, bad: first, "/plain.safetensors": second}
    network = {"factory": "networks:tiny"}
    return place.grid(
        models=[
            {**network, "name": "named", "weights": server.url + good},
            {**network, "name": "told", "weights": f"{server.url}/plain.safetensors", "sha256": sha256(second)},
            {**network, "name": "other", "weights": server.url + bad},
        ],
        calibrations=[],
        accuracy_only=[{"device": "CPU"}],
    )


def outcomes(place):
    return {record["model"]: record["outcome"] for record in place.records().values()}


def test_weights_are_fetched_once_and_a_wrong_file_fails_its_own_model_alone(place, server, grid, tmp_path):
    said = place.farm("run", grid, *INLINE, code=1)
    assert outcomes(place) == {"named": "ok", "told": "ok", "other": "failed"}
    sent = (
        f"sent other content than expected: SHA-256 {sha256(server.files['/net-0123abcd.safetensors'])}, not 0123abcd"
    )
    assert sent in said
    record = place.records()["other/-/ir/CPU"]
    assert (record["error_class"], record["attempts"]) == ("missing_input", 0)
    assert f"{server.url}/net-0123abcd.safetensors {sent}" in record["error_message"]
    assert sent in json.loads(place.farm("why", "other/-/ir/CPU", "--json"))[0]["because"]
    assert sorted(server.asked) == sorted(server.files), "each was asked for once"

    before = place.attempts()
    server.asked.clear()
    said = place.farm("run", grid, "--only", "model=named", "--only", "model=told")
    assert "nothing to run" in said
    assert server.asked == []
    assert len(place.attempts()) == len(before)

    record = place.records()["named/-/ir/CPU"]
    assert record["top1"] is not None
    assert record["fps"] is None
    assert list((place.folder / "results" / "quick" / "predictions").iterdir())
    assert not (place.folder / "results" / "quick" / "latencies").exists()
    place.farm("get", "named/-/ir/CPU", tmp_path / "model")
    assert json.loads((tmp_path / "model" / "record.json").read_text())["fps"] is None


def test_weights_that_could_not_be_fetched_are_tried_again_by_the_next_run(place, server):
    content = weights(1)
    name = f"/net-{sha256(content)[:8]}.safetensors"
    model = {"factory": "networks:tiny", "weights": server.url + name}
    grid = place.grid(models=[model], calibrations=[], accuracy_only=[{"device": "CPU"}])
    assert f"cannot download {server.url}{name}" in place.farm("run", grid, *INLINE, code=1)
    server.files[name] = content
    place.farm("run", grid, *INLINE)
    assert outcomes(place) == {"tiny": "ok"}
