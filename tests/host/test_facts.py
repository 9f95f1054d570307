"""What a host says of itself."""

import pytest

from farm.host.facts import cpu_model, gpu_count, host_facts, isa, oom_kills

XEON = """\
processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni{more}
"""
GPU_FILES = ["null", "nvidia0", "nvidia1", "nvidia12", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia-caps"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (XEON.format(more=" amx_int8"), "amx_int8"),
        (XEON.format(more=""), "avx512_vnni"),
        ("flags : avx512f avx2", "avx512"),
        ("flags : avx2 avx_vnni", "avx_vnni"),
        ("flags : sse4_2 avx2", "avx2"),
        ("flags : sse4_2", "sse4_2"),
        ("flags : fpu", ""),
        ("Features : fp asimd asimddp", "neon_dotprod"),
        ("Features : fp asimd", "neon"),
        ("", ""),
    ],
)
def test_the_isa_is_the_highest_level_that_matters_to_int8(text, level):
    assert isa(text) == level


def test_the_processors_name_is_read():
    assert cpu_model(XEON) == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert cpu_model("processor : 0") == ""


def test_this_hosts_facts_are_there_for_a_record():
    facts = host_facts()
    assert set(facts) == {"host", "cpu_model", "isa", "cores", "memory_gib"}
    assert facts["host"]
    assert facts["cpu_model"]
    assert facts["isa"]
    assert facts["cores"] >= 1
    assert facts["memory_gib"] > 0


def test_the_kernels_kills_for_memory_are_counted():
    assert oom_kills() >= 0


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 3),
        ("", 0),
        ("0", 1),
        ("0,2", 2),
        ("GPU-5f2a, GPU-77c1", 2),
        ("0,1,2,3", 3),
        (",", 0),
        ("-1", 0),
        ("0,-1,1", 1),
    ],
)
def test_the_drivers_gpus_are_counted_as_far_as_they_are_visible(tmp_path, monkeypatch, visible, count):
    for name in GPU_FILES:
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_count(tmp_path) == count


def test_a_host_without_the_driver_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpu_count(tmp_path) == 0
