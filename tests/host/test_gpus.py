"""GPUs by their device files, as far as this process may see them."""

import pytest

from farm.host.facts import gpu_count

FILES = ["null", "nvidia0", "nvidia1", "nvidia12", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia-caps"]


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
    for name in FILES:
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_count(tmp_path) == count


def test_a_host_without_the_driver_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpu_count(tmp_path) == 0
