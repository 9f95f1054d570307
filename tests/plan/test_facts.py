"""Facts as they are read from manifests, older ones too."""

import json

import pytest

from farm.codec import decode, encode
from farm.plan.facts import Control, Quantized, today

CONTROL = Control(stopped_by="target", reached=True, control_drop=0.01, iterations=3)


@pytest.mark.parametrize("control", [None, CONTROL])
def test_the_facts_of_a_quantization_are_read_as_they_were_told(control):
    facts = Quantized(int8_layers=21, size_mib=0.25, subset_size=100, control=control)
    assert decode(Quantized, today(json.loads(encode(facts)))) == facts


def test_an_older_farm_told_of_the_control_beside_the_rest():
    older = {"int8_layers": 21, "size_mib": 0.25, **json.loads(encode(CONTROL))}
    assert decode(Quantized, today(older)) == Quantized(int8_layers=21, size_mib=0.25, control=CONTROL)
