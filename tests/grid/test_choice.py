"""What choices of one axis have in common."""


def test_sets_that_differ_by_their_seed_alone_share_their_source(files):
    grid = files.grid(calibrations=[{"name": "noise", "seed": [0, 1]}, {"name": "noise", "count": 300, "seed": 2}])
    assert [choice.label for choice in grid.calibrations] == ["noise", "noise{seed=1}", "noise{count=300,seed=2}"]
    assert [choice.source for choice in grid.calibrations] == ["noise", "noise", "noise{count=300}"]
    assert grid.sources == ("noise", "noise{count=300}")
