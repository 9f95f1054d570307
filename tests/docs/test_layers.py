"""The tables of docs/study.md that say where int8 loses, layer by layer."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.append(str(Path(__file__).parents[2] / "docs" / "making"))
import layers

SQNR = {"photos": (30.0, 20.0, 10.0), "noise": (29.0, 5.0, 9.0)}


@pytest.fixture
def published(tmp_path, monkeypatch):
    rows = [
        {
            "model": "net",
            "calibration": calibration,
            "drop": 0.0125,
            "name": f"layer{number}",
            "kind": "MatMul",
            "sqnr_db": level,
            "range_ratio": 2.5,
            "grid": "study",
            "images": 128,
            "cpu_model": "a processor",
            "versions": '{"farm": "0.1.0", "nncf": "3.4.0"}',
        }
        for calibration, levels in SQNR.items()
        for number, level in enumerate(levels)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "layers.parquet")
    monkeypatch.setattr(layers, "PUBLISHED", tmp_path / "layers.parquet")
    monkeypatch.setattr(layers, "WORST", 2)


def test_the_layers_that_are_worst_with_any_set_stand_in_the_networks_order(published):
    assert layers.worst("net").splitlines()[2:] == [
        "| `layer1` | 2.5 | 20.0 | 5.0 |",
        "| `layer2` | 2.5 | 10.0 | 9.0 |",
    ]


def test_each_model_and_set_is_summed_up_in_a_line(published):
    assert layers.summary().splitlines()[2:] == [
        "| net | photos | 10.0 | 20.0 | 1.25 |",
        "| net | noise | 5.0 | 9.0 | 1.25 |",
        "",
        "> Run study, on 128 test images; a processor; farm 0.1.0, nncf 3.4.0.",
    ]
