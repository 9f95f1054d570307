"""What lies in a folder: names, kinds, and links that lead round."""

import os

from farm.inputs import tree


def listed(folder):
    return [(entry.name, entry.kind, entry.of) for entry in tree.entries(folder)]


def test_entries_come_level_by_level_and_by_name_without_hidden_ones(tmp_path):
    for name in ("b/x", "a/z/deep", "a/.y", ".c/x", "a/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert listed(tmp_path) == [
        (".", "folder", ""), ("a", "folder", ""), ("b", "folder", ""),
        ("a/b", "file", ""), ("a/z", "folder", ""), ("b/x", "file", ""), ("a/z/deep", "file", ""),
    ]  # fmt: skip


def test_a_folder_is_entered_by_the_shortest_of_its_names(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").touch()
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert listed(tmp_path)[3:] == [("a/b", "again", "b"), ("a/up", "again", "."), ("b/x", "file", "")]


def test_links_are_what_they_lead_to(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "x").touch()
    (inside / "file").symlink_to(outside / "x")
    (inside / "folder").symlink_to(outside)
    (inside / "gone").symlink_to("nowhere")
    (inside / "itself").symlink_to(inside / "itself")
    os.mkfifo(inside / "pipe")
    assert listed(inside)[1:] == [
        ("file", "file", ""), ("folder", "folder", ""), ("gone", "other", ""), ("itself", "other", ""),
        ("pipe", "other", ""), ("folder/x", "file", ""),
    ]  # fmt: skip


def test_two_links_a_level_are_not_two_to_the_power_of_levels(tmp_path):
    for depth in range(40):
        (tmp_path / str(depth)).mkdir()
    for depth in range(39):
        for name in ("left", "right"):
            (tmp_path / str(depth) / name).symlink_to(tmp_path / str(depth + 1))
    assert len(listed(tmp_path / "0")) == 2 * 39 + 1
