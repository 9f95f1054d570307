"""Which node gets what, and when it is a node's turn to measure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.drive.placing import BATCH, Need, Placing, with_spare
from farm.engine import Place

LIGHT, MEASURE = Need("light"), Need("exclusive", None)


def nodes(count, **what):
    return [Place(name=f"n{index}", **{"cores": 2, **what}) for index in range(count)]


def placing_of(places, **waiting):
    """Placing with so many light stages and measurements that wait."""
    placing = Placing()
    placing.see(places)
    for name, need in (("light", LIGHT), ("measured", MEASURE)):
        for index in range(waiting.get(name, 0)):
            placing.put(need, index, f"{name}{index}")
    return placing


def assigned(placing, liked=None, shunned=None):
    return dict(placing.assigned(liked or {}, shunned or {}))


def kinds(found):
    return sorted({uri.rstrip("0123456789") for uri in found})


def test_a_node_gets_what_its_cores_take_and_a_little_more():
    assert len(assigned(placing_of(nodes(1, cores=8), light=99))) == 10
    assert [with_spare(count) for count in (1, 2, 4, 8, 64)] == [2, 3, 5, 10, 80]


def test_the_least_busy_node_comes_first():
    placing = placing_of(nodes(3), light=4)
    found = assigned(placing)
    assert sorted(found.values()) == ["n0", "n0", "n1", "n2"] or len(set(found.values())) == 3


def test_an_idle_node_measures_at_once():
    assert kinds(assigned(placing_of(nodes(1), light=5, measured=1))) == ["measured"]


@pytest.mark.parametrize(("waiting", "turns"), [(BATCH - 1, 0), (BATCH, 1), (2 * BATCH - 1, 1), (2 * BATCH, 2)])
def test_a_busy_node_drains_for_several_measurements_only(waiting, turns):
    placing = placing_of(nodes(3), light=99)
    assigned(placing)
    for index in range(waiting):
        placing.put(MEASURE, index, f"measured{index}")
    for _ in range(3):
        assert assigned(placing) == {}, "all nodes are busy"
    assert sum(load.turn for load in placing.loads.values()) == turns


def test_a_busy_node_drains_for_one_where_no_light_work_waits():
    placing = placing_of(nodes(2), light=2)
    assigned(placing)
    placing.put(MEASURE, 0, "measured0")
    assigned(placing)
    assert sum(load.turn for load in placing.loads.values()) == 1


def test_a_node_measures_until_nothing_waits_and_then_works_again():
    placing = placing_of(nodes(1), light=99, measured=3)
    for index in range(3):
        assert assigned(placing) == {f"measured{index}": "n0"}
        placing.ended(f"measured{index}")
    assert kinds(assigned(placing)) == ["light"]


def test_what_a_node_that_is_gone_had_in_hand_counts_no_more():
    placing = placing_of(nodes(2), light=4)
    found = assigned(placing)
    placing.see(nodes(1))
    for uri, name in found.items():
        assert placing.ended(uri) == name
    assert placing.loads["n0"].light == 0
    placing.see(nodes(2))
    assert placing.loads["n1"].light == 0


def test_a_node_gets_no_more_than_its_memory_holds():
    placing = Placing()
    placing.see(nodes(1, cores=8, memory_gib=10.0))
    for index in range(9):
        placing.put(Need("light", memory_gib=4.0), index, f"light{index}")
    assert sorted(assigned(placing)) == ["light0", "light1"]
    placing.put(Need("light", memory_gib=99.0), 0, "large")
    for uri in ("light0", "light1"):
        placing.ended(uri)
    assert list(assigned(placing)) == ["large"], "more than there is is tried alone"


def test_a_gpu_is_of_use_only_beside_the_cores_that_are_asked_for():
    place = Place(name="gpus", cores=2, bench=False, gpus=4)
    assert Need("gpu", 2, 1.0).fits(place)
    assert not Need("gpu", 4, 1.0).fits(place)


@pytest.mark.parametrize(
    ("cores", "per_node", "fits"),
    [(4, 1, True), (5, 1, False), (None, 1, True), (2, 2, True), (3, 2, False), (1, 4, True), (1, 5, False)],
)
def test_a_measurement_fits_where_its_cores_are_lent_to_measurements(cores, per_node, fits):
    hybrid = Place(name="hybrid", cores=8, measured=(2, 2))
    assert Need("exclusive", cores, per_node=per_node).fits(hybrid) == fits
    assert Need("exclusive", 8).fits(Place(name="plain", cores=8))


def test_a_full_node_gets_nothing_that_fits_on_another_and_a_shunned_one_is_not_taken_for_its_room():
    placing = placing_of(nodes(2, cores=1), light=9)
    placing.full = {"n0"}
    assert set(assigned(placing).values()) == {"n1"}
    placing.full = {"n0", "n1"}
    assert set(assigned(placing).values()) == {"n0"}, "better than nothing"
    busy = placing_of(nodes(2, cores=1), light=4)
    assigned(busy)
    free = busy.ended("light0")
    busy.put(LIGHT, 0, "again")
    assert assigned(busy, {}, {"again": [free]}) == {}, "the other's room is waited for"
    assert assigned(busy) == {"again": free}


def test_a_label_is_a_nodes_own():
    placing = placing_of([*nodes(1), Place(name="xeon", cores=2, labels=frozenset({"xeon"}))])
    placing.put(Need("exclusive", None, 0.0, "xeon"), 0, "m")
    placing.put(Need("exclusive", None, 0.0, "epyc"), 0, "never")
    assert assigned(placing) == {"m": "xeon"}
    assert placing.homeless() == [Need("exclusive", None, 0.0, "epyc")]


def test_of_nodes_that_are_as_busy_one_that_is_liked_comes_first_and_one_that_is_shunned_last():
    placing = placing_of(nodes(3), light=5)
    liked = {f"light{index}": ["n1"] for index in range(5)}
    found = assigned(placing, liked, {"light0": ["n1"]})
    assert found["light0"] != "n1"
    assert [found[f"light{index}"] == "n1" for index in range(1, 5)] == [True, False, True, False]
    only = placing_of(nodes(1), light=1)
    assert assigned(only, {}, {"light0": ["n0"]}) == {"light0": "n0"}, "better than none"


def test_stages_go_in_their_order_whatever_they_need():
    placing = placing_of(nodes(1, cores=1))
    placing.put(LIGHT, 1, "second")
    placing.put(Need("light", 1, 0.0, None), 0, "first")
    placing.put(Need("exclusive", None), 9, "last")
    assert next(iter(assigned(placing))) == "last", "an idle node measures"
    placing.ended("last")
    assert list(assigned(placing)) == ["first", "second"]


def test_what_waits_is_told_of_each_need():
    placing = placing_of([], light=20, measured=20)
    assert len(placing.next_ones(8)) == 8
    assert placing.waiting() == [(LIGHT, 20), (MEASURE, 20)]


@given(
    st.lists(st.tuples(st.sampled_from(["light", "measured", "end", "lose", "come"]), st.integers(0, 9)), max_size=60),
    st.integers(1, 3),
)
def test_light_work_and_measurements_are_never_on_a_node_together(steps, per_node):
    places = {place.name: place for place in nodes(3)}
    placing, at = Placing(per_node=per_node), {}
    placing.see(places.values())
    for number, (step, index) in enumerate(steps):
        if step in ("light", "measured"):
            placing.put(LIGHT if step == "light" else MEASURE, number, f"{step}{number}")
        elif step == "end" and at:
            uri = sorted(at)[index % len(at)]
            assert placing.ended(uri) == at.pop(uri)
        elif step == "lose":
            places.pop(f"n{index % 3}", None)
        elif step == "come":
            places[f"n{index % 3}"] = Place(name=f"n{index % 3}", cores=2)
            for uri in [uri for uri, name in at.items() if name == f"n{index % 3}"]:
                placing.ended(uri)
                del at[uri]
        placing.see(places.values())
        at |= assigned(placing)
        for name in places:
            beside = {uri.rstrip("0123456789") for uri, where in at.items() if where == name}
            assert beside != {"light", "measured"}
            assert sum(where == name and uri.startswith("measured") for uri, where in at.items()) <= per_node
    while at or placing.waiting():
        placing.see([*places.values(), Place(name="new", cores=2)])
        at |= assigned(placing)
        assert at, "nothing goes on"
        uri = next(iter(at))
        del at[uri]
        placing.ended(uri)


def test_a_node_that_has_its_turn_keeps_nobody_waiting_who_shuns_it():
    """Found by a storm: the last measurement was lost on the node whose turn it was, and waited for ever."""
    placing = placing_of(nodes(3), measured=1)
    [(uri, first)] = assigned(placing).items()
    seen = {first}
    for _ in range(2):
        placing.ended(uri)
        placing.put(MEASURE, 0, uri)
        found = assigned(placing, shunned={uri: set(seen)})
        assert found.keys() == {uri}
        assert found[uri] not in seen
        seen.add(found[uri])
    placing.ended(uri)
    placing.put(MEASURE, 0, uri)
    assert assigned(placing, shunned={uri: seen}).keys() == {uri}, "all are shunned: any will do"


def test_a_node_that_one_of_many_measurements_shuns_measures_the_others():
    placing = placing_of(nodes(1), measured=2)
    placing.see([*nodes(1), Place(name="light", cores=2, bench=False)])
    assert assigned(placing, shunned={"measured0": {"n0"}, "other": {"n0"}}) == {"measured0": "n0"}


def test_a_node_gives_its_turn_back_where_what_waits_is_for_another():
    placing = placing_of([*nodes(1), Place(name="other", cores=2, labels=frozenset({"big"}))], measured=2)
    measured = assigned(placing)
    for uri in measured:
        placing.ended(uri)
    placing.put(Need("exclusive", None, label="big"), 0, "big0")
    placing.put(LIGHT, 0, "light0")
    assert assigned(placing) == {"big0": "other", "light0": "n0"}
