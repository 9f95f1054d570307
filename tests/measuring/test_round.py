"""Rounds and their stretches: as columns, chosen from, and as rows of a table and back."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from farm.measuring.full_speed import flagged
from farm.measuring.pairing import CELL, PARTNER
from farm.measuring.round import FACTS, SCHEMA, no_stretches, rounds_of, table_of
from tests.measuring.rows import one_round, stretches_at

COLUMNS = ("turn", "inferences", "wall_ns", "probes_ns", "full_speed", "latencies_ns")


def pair(number):
    """A pair of ABBA whose stretches all differ, two in each first turn and one in each second, the last one slow."""
    probes = np.array([[[1000, 1001], [1010, 1011]], [[1010, 1001], [1005, 1011]], [[1020, 1021], [1500, 1001]]])
    cell, ir = (
        stretches_at([70.0, 50.0, 30.0], turns=[0, 0, 3], probes=probes),
        stretches_at([40.0, 60.0, 20.0], turns=[1, 1, 2], probes=probes),
    )
    return [
        one_round(CELL, 1.0, pair=number, stretches=cell, disturbed=["steal"] * number, mhz=None),
        one_round(PARTNER, 1.0, pair=number, stretches=ir, disturbed=["steal"] * number, batch=8),
    ]


def same(one, other):
    facts = [{name: getattr(each, name) for name in FACTS} for each in (one, other)]
    columns = [{name: getattr(each.stretches, name).tolist() for name in COLUMNS} for each in (one, other)]
    return facts[0] == facts[1] and columns[0] == columns[1]


def test_of_stretches_those_that_are_chosen_keep_all_that_is_theirs():
    stretches = stretches_at([70.0, 30.0, 50.0], turns=[0, 0, 5], probes=np.arange(6).reshape(3, 2, 1))
    chosen = stretches.of(np.array([True, False, True]))
    assert (len(stretches), len(chosen)) == (3, 2)
    assert (chosen.turn.tolist(), chosen.inferences.tolist()) == ([0, 5], [7, 5])
    assert chosen.probes_ns.tolist() == [[[0], [1]], [[4], [5]]]
    assert chosen.latencies_ns.tolist() == [stretches.wall_ns[0] // 7] * 7 + [stretches.wall_ns[2] // 5] * 5
    assert chosen.latencies_ns.sum() == pytest.approx(chosen.wall_ns.sum(), rel=1e-6)
    assert len(stretches.of(np.zeros(3, np.bool_)).latencies_ns) == 0


def test_stretches_are_at_full_speed_or_not_or_any():
    stretches = replace(stretches_at([1.0, 2.0, 3.0]), full_speed=np.array([True, False, True]))
    found = {state: stretches.at(full_speed=state).tolist() for state in (True, False, None)}
    assert found == {True: [True, False, True], False: [False, True, False], None: [True] * 3}


def test_speeds_are_images_a_second_of_the_stretches_in_question():
    stretches = replace(stretches_at([40.0, 10.0]), full_speed=np.array([True, False]))
    one = one_round(CELL, 1.0, stretches=stretches, batch=8)
    assert [one.fps_of(full_speed=state) for state in (True, False)] == [320.0, 80.0]
    assert one.fps == one.fps_of(full_speed=None) == 8 * 5 / 0.2
    assert (one.images, one.wall_s) == (40, 0.2)


def test_a_round_that_has_not_played_has_no_stretches():
    none = replace(one_round(CELL, 1.0), stretches=no_stretches())
    assert len(none.stretches) == len(none.stretches.latencies_ns) == none.images == none.wall_s == 0
    assert table_of([none]).num_rows == 0


def test_a_table_has_a_row_a_stretch_in_the_order_in_which_they_were_played():
    table = table_of([*pair(1), *pair(0)])
    assert table.schema.equals(SCHEMA)
    assert table["pair"].to_pylist() == [0] * 6 + [1] * 6
    assert table["turn"].to_pylist() == [0, 0, 1, 1, 2, 3] * 2
    assert table["variant"].to_pylist() == [CELL, CELL, PARTNER, PARTNER, PARTNER, CELL] * 2
    assert [len(latencies) for latencies in table["latencies_ns"].to_pylist()] == table["inferences"].to_pylist()
    assert table["inferences"].to_pylist() == [7, 5, 4, 6, 2, 3] * 2, "also within a turn"
    assert table["probe_before_ns"].to_pylist()[5] == [1020, 1021]
    assert table["probe_after_ns"].to_pylist()[5] == [1500, 1001]


def test_rounds_come_back_from_their_table_as_they_were(tmp_path):
    rounds = flagged([*pair(0), *pair(1)])
    assert [one.stretches.full_speed.tolist() for one in rounds] == [[True, True, False]] * 4
    pq.write_table(table_of(rounds), tmp_path / "turns.parquet")
    table = pq.read_table(tmp_path / "turns.parquet").append_column("cell", pa.array(["ours"] * 12))
    back = rounds_of(table)
    assert len(back) == 4
    assert all(map(same, back, rounds))
    assert {values.dtype for values in (back[0].stretches.turn, back[0].stretches.probes_ns)} == {np.dtype(np.int64)}


def test_rounds_of_an_older_farm_have_no_probe_and_count_as_at_full_speed():
    table = table_of([one_round(CELL, 100.0)])
    at = SCHEMA.get_field_index("full_speed")
    (one,) = rounds_of(table.set_column(at, SCHEMA.field(at), pa.nulls(1, pa.bool_())))
    assert one.stretches.full_speed.tolist() == [True]
    assert one.stretches.probes_ns.shape == (1, 2, 0)


def test_a_table_of_no_rounds_has_its_columns():
    assert table_of([]).schema.equals(SCHEMA)
    assert rounds_of(table_of([])) == ()
