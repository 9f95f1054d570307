"""A folder of one set: made range by range, resumed, extended, checked, and refused to any other set."""

import fcntl
import json
import os
import re

import pytest

from farm.data import setfolder
from farm.errors import DataError, InputError
from tests.data.numbered import numbered

STEP = 256
IMAGES = numbered([i % 3 for i in range(1000)], 3)
NOTES = {"size": [2, 3], "classes": 3}


def made(layout="shards", **changes):
    return {
        "source": "numbered",
        "parameters": {"seed": 0},
        "contents": {},
        "layout": layout,
        "shard_images": STEP,
    } | changes


def nobody(_index):
    pass


def work(path, count=600, made_=None, *, verify=False, most=None):
    """Make what is missing, at most so many ranges; the ranges that were made."""
    with setfolder.claimed(path, made_ or made(), count, NOTES) as folder:
        missing = list(folder.missing(verify=verify))
        for start, stop in missing[:most]:
            folder.make(IMAGES, start, stop, STEP, nobody)
    return missing[:most]


def contents(path):
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != "set.json"
    }


WHOLE = [(0, 256), (256, 512), (512, 600)]
EVERY_FORMAT = pytest.mark.parametrize("layout", ["shards", "hf", "png"])


@EVERY_FORMAT
def test_what_is_there_is_not_made_again(tmp_path, layout):
    assert work(tmp_path / "set", made_=made(layout)) == WHOLE
    before = contents(tmp_path / "set"), (tmp_path / "set" / "set.json").stat().st_mtime_ns
    assert work(tmp_path / "set", made_=made(layout)) == []
    assert (contents(tmp_path / "set"), (tmp_path / "set" / "set.json").stat().st_mtime_ns) == before


@EVERY_FORMAT
def test_a_set_made_in_several_goes_is_the_same_to_the_byte(tmp_path, layout):
    work(tmp_path / "once", made_=made(layout))
    assert work(tmp_path / "twice", made_=made(layout), most=1) == WHOLE[:1]
    assert work(tmp_path / "twice", made_=made(layout)) == WHOLE[1:]
    assert contents(tmp_path / "twice") == contents(tmp_path / "once")
    assert setfolder.read(tmp_path / "twice") == setfolder.read(tmp_path / "once")


@EVERY_FORMAT
def test_a_greater_count_makes_only_the_last_range_again_and_what_follows(tmp_path, layout):
    work(tmp_path / "grown", 600, made(layout))
    assert work(tmp_path / "grown", 1000, made(layout)) == [(512, 768), (768, 1000)]
    work(tmp_path / "once", 1000, made(layout))
    assert contents(tmp_path / "grown") == contents(tmp_path / "once")
    assert setfolder.read(tmp_path / "grown") == setfolder.read(tmp_path / "once")


def victims(path):
    return sorted(file for file in path.rglob("*") if file.suffix in (".parquet", ".png"))


@EVERY_FORMAT
@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 10)])
def test_what_is_gone_or_of_another_size_is_made_again(tmp_path, layout, damage):
    work(tmp_path / "set", made_=made(layout))
    before = contents(tmp_path / "set")
    damage(victims(tmp_path / "set")[0])
    assert work(tmp_path / "set", made_=made(layout)) == WHOLE[:1]
    assert contents(tmp_path / "set") == before


@EVERY_FORMAT
def test_other_content_of_the_same_size_is_noticed_only_when_checksums_are_compared(tmp_path, layout):
    work(tmp_path / "set", made_=made(layout))
    before = contents(tmp_path / "set")
    victim = victims(tmp_path / "set")[-1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    assert work(tmp_path / "set", made_=made(layout)) == []
    [(start, stop)] = work(tmp_path / "set", made_=made(layout), verify=True)
    assert (start, stop) in WHOLE
    assert contents(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("layout", "spoil", "says"),
    [
        ("shards", os.unlink, r"shard-00000\.parquet is gone"),
        ("png", os.unlink, r"\d{8}\.png is gone"),
        ("hf", lambda path: os.truncate(path, 10), r"10 bytes, not [\d,]+ as when it was made"),
        ("shards", lambda path: path.write_bytes(bytes(path.stat().st_size)), "its SHA-256 is another than"),
    ],
)
def test_a_range_that_is_to_be_made_says_why(tmp_path, layout, spoil, says):
    work(tmp_path / "set", made_=made(layout), most=2)
    spoil(victims(tmp_path / "set")[0])
    with setfolder.claimed(tmp_path / "set", made(layout), 600, NOTES) as folder:
        found = folder.missing(verify=True)
    assert list(found) == [(0, 256), (512, 600)]
    assert re.match(says, found[0, 256])
    assert found[512, 600] == setfolder.NEW


def test_a_range_that_grows_says_so(tmp_path):
    work(tmp_path / "set", 300)
    with setfolder.claimed(tmp_path / "set", made(), 400, NOTES) as folder:
        assert folder.missing(verify=True) == {(256, 400): "grows from 44 to 144 images, and is made anew"}


def test_a_range_that_fails_leaves_nothing_of_itself(tmp_path):
    class Failing:
        classes = 3

        def __len__(self):
            return 1000

        def block(self, start, stop):
            if stop > 400:
                raise KeyboardInterrupt
            return IMAGES.block(start, stop)

    with pytest.raises(KeyboardInterrupt), setfolder.claimed(tmp_path / "set", made(), 600, NOTES) as folder:  # noqa: PT012
        for start, stop in folder.missing(verify=False):
            folder.make(Failing(), start, stop, STEP, nobody)
    assert sorted(each.name for each in (tmp_path / "set").iterdir()) == ["set.json", "shard-00000.parquet"]
    assert work(tmp_path / "set") == WHOLE[1:]


def test_what_a_killed_process_left_half_made_is_removed(tmp_path):
    work(tmp_path / "set", most=1)
    (tmp_path / "set" / ".making").mkdir()
    (tmp_path / "set" / ".making" / "shard-00001.parquet").write_bytes(b"half")
    assert work(tmp_path / "set") == WHOLE[1:]
    assert not (tmp_path / "set" / ".making").exists()


def test_a_process_killed_before_its_first_range_leaves_a_folder_to_go_on_with(tmp_path):
    (tmp_path / "set" / ".making").mkdir(parents=True)
    (tmp_path / "set" / ".set.json.new").write_text("half")
    assert work(tmp_path / "set") == WHOLE


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": "other"}, "source is numbered there, not other"),
        ({"parameters": {"seed": 1}}, "parameters.seed is 0 there, not 1"),
        ({"parameters": {"seed": 0, "fill": 0.3}}, "parameters.fill is None there, not 0.3"),
        ({"contents": {"weights": "ab"}}, "contents.weights is None there, not ab"),
        ({"layout": "hf"}, "layout is shards there, not hf"),
        ({"shard_images": 512}, "shard_images is 256 there, not 512"),
        ({"source": "other", "layout": "png"}, "source is numbered there, not other; layout is shards there, not png"),
    ],
)
def test_another_set_is_refused_with_what_differs(tmp_path, changes, says):
    work(tmp_path / "set", most=1)
    with pytest.raises(InputError, match=f"set holds another set: {says}: choose another --out"):
        work(tmp_path / "set", made_=made(**changes))


def test_fewer_images_than_are_there_are_refused(tmp_path):
    work(tmp_path / "set")
    with pytest.raises(InputError, match="holds 600 images of this set, more than 500: choose another"):
        work(tmp_path / "set", 500)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("dear to me")
    with pytest.raises(InputError, match=r"is not empty \(thesis.txt\), and holds no set of images"):
        work(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(InputError, match=r"cannot make the folder .*set: File exists; choose another --out"):
        work(tmp_path / "set")


def test_two_processes_never_write_to_one_folder(tmp_path):
    work(tmp_path / "set", most=1)
    handle = os.open(tmp_path / "set", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="another process writes to"):
        work(tmp_path / "set")
    os.close(handle)
    assert work(tmp_path / "set") == WHOLE[1:]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        (json.dumps({"schema": 2, "made": {}, "count": 1, "ranges": []}), "of another version of farm"),
        (json.dumps({"schema": 1, "made": {}}), "damaged"),
        (json.dumps({"schema": 1, "made": made(), "count": 600.5, "ranges": []}), "damaged"),
        (json.dumps({"schema": 1, "made": made(shard_images=0), "count": 600, "ranges": []}), "damaged"),
    ],
)
def test_an_inventory_that_cannot_be_used_is_told(tmp_path, content, says):
    (tmp_path / "set.json").write_text(content)
    with pytest.raises(DataError, match=f"set.json: {says}.*: remove the folder, and make it again"):
        setfolder.read(tmp_path)


def test_the_inventory_says_what_the_set_is_and_of_each_range_its_checksum(tmp_path):
    import hashlib

    work(tmp_path / "set")
    said = json.loads((tmp_path / "set" / "set.json").read_text())
    assert {key: said[key] for key in ("made", "count", "size", "classes")} == {"made": made(), "count": 600, **NOTES}
    for number, each in enumerate(said["ranges"]):
        content = (tmp_path / "set" / f"shard-{number:05}.parquet").read_bytes()
        assert (each["start"], each["stop"]) == WHOLE[number]
        assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
