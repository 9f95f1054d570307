"""Image folders, good and bad."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from farm.axes import Fit
from farm.data import folder
from farm.errors import DataError
from tests.data.files import encode, pixels

IMAGES = pixels(12)


def fill(path, names, **how):
    path.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, IMAGES, strict=False):
        (path / name).write_bytes(encode(image, **how))
    return path


def whole(path, count=None):
    return folder.dataset({"count": count}, {"images": path})


def test_sorted_subfolders_are_the_classes_and_sorted_files_the_images(tmp_path):
    fill(tmp_path / "dog", ["b.png", "a.PNG"])
    fill(tmp_path / "cat", ["10.png", "9.png", "x.txt.png"])
    images = whole(tmp_path)
    assert (len(images), images.classes) == (5, 2)
    block = images.block(0, 5)
    assert block.labels.tolist() == [0, 0, 0, 1, 1]
    assert np.array_equal(block.images, IMAGES[[0, 1, 2, 1, 0]])


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.BMP", "a.PNG"])
def test_lossless_formats_come_back_exactly(tmp_path, name):
    fill(tmp_path / "only", [name], kind=name[-3:].upper())
    assert np.array_equal(whole(tmp_path).block(0, 1).images, IMAGES[:1])


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.ppm", "a.pgm"])
def test_what_is_an_image_is_told_by_its_bytes(tmp_path, name):
    fill(tmp_path / "only", [name], kind="TIFF" if "tif" in name.lower() else "PPM")
    assert np.array_equal(whole(tmp_path).block(0, 1).images, IMAGES[:1])


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF")]
)
def test_lossy_formats_are_read(tmp_path, name, kind):
    fill(tmp_path / "only", [name], kind=kind)
    assert whole(tmp_path).block(0, 1).images.shape == (1, 6, 5, 3)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG"])
def test_of_several_frames_or_pages_the_first_is_read(tmp_path, kind):
    (tmp_path / "only").mkdir()
    first, *rest = (Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue"))
    first.save(tmp_path / "only" / f"a.{kind.lower()}", kind, save_all=True, append_images=rest)
    assert (whole(tmp_path).block(0, 1).images == [255, 0, 0]).all()


def test_images_at_any_depth_are_of_the_class_of_their_first_folder_as_torchvision_has_them(tmp_path):
    for name in ("cat", "cat/b", "cat/a/deep", "cat/b.d", "dog/x"):
        fill(tmp_path / name, ["2.png", "1.png"])
    pictures = folder.open_folder(tmp_path)
    samples = [(picture.where, label) for picture, label in zip(pictures.read(0, 10), pictures.labels, strict=True)]
    assert samples == ImageFolder(tmp_path).samples
    assert (pictures.names, pictures.note) == (("cat", "dog"), "")


def test_hidden_files_are_left_out_and_others_named(tmp_path):
    fill(tmp_path / "cat", ["a.png", ".b.png"])
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / ".git").mkdir()
    images = whole(tmp_path)
    assert (len(images), images.note) == (1, "1 file is no image and left out: cat/notes.txt")
    (tmp_path / "readme.md").write_text("no image")
    (tmp_path / "cat" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "more").symlink_to(tmp_path / "cat")
    note = "5 files are no image and left out: readme.md, cat/gone.png (a link that leads nowhere, or no file)"
    assert whole(tmp_path).note == f"{note}, cat/more (the folder cat again) and 2 more"


def numbered(path, *names):
    for name, image in zip(names, IMAGES, strict=False):
        fill(path / name, ["a.png"])
        (path / name / "a.png").write_bytes(encode(image))
    return path


TEXT = "class folders are sorted as text, so {}; if they are numbers, say so by `classes: [{}]` or a file of names"


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ([str(number) for number in range(11)], TEXT.format("10 is class 2", "0, 1, 2, ...")),
        ([str(number) for number in range(10)], ""),
        ([f"{number:02}" for number in range(11)], ""),
        (["9", "10"], TEXT.format("10 is class 0", "9, 10")),
        (["9", "10", "011"], TEXT.format("011 is class 0", "9, 10, '011'")),
        ([*map(str, range(11)), "cat"], ""),
    ],
)
def test_numbers_that_are_sorted_as_text_are_told(tmp_path, names, note):
    numbered(tmp_path, *names)
    assert whole(tmp_path).note == note
    assert folder.source({"count": len(names), "seed": 0}, {"images": tmp_path}).note == note


def in_order(path, names):
    return folder.dataset({"count": None, "classes": names}, {"images": path})


def in_file(path, names):
    (path.parent / "classes.txt").write_text("\ufeff" + "\r\n".join(names) + "\n\n")
    return folder.dataset({"count": None}, {"images": path, "classes": path.parent / "classes.txt"})


@pytest.mark.parametrize("opened", [in_order, in_file])
def test_classes_have_the_order_that_is_given(tmp_path, opened):
    names = [str(number) for number in range(11)]
    images = opened(numbered(tmp_path / "photos", *names), names)
    block = images.block(0, 11)
    assert block.labels.tolist() == list(range(11))
    assert np.array_equal(block.images, IMAGES[:11])
    assert images.note == ""


def test_a_class_that_is_given_may_have_no_folder_or_an_empty_one(tmp_path):
    fill(tmp_path / "cat", ["a.png"])
    (tmp_path / "cow").mkdir()
    images = in_order(tmp_path, ["background", "cat", "cow"])
    assert (images.classes, images.block(0, 1).labels.tolist()) == (3, [1])
    assert images.note == "no images of 2 of 3 classes: background, cow"


@pytest.mark.parametrize("source", [folder.source, folder.dataset])
@pytest.mark.parametrize(
    ("folders", "names", "says"),
    [
        (["cat", "cows"], ["cat", "cow"], "photos: 'cows': not in `classes`, which has 'cat', 'cow': name all folders"),
        ([], ["cat"], "photos: no subfolders: `classes` is for one subfolder a class"),
    ],
)
def test_classes_that_are_not_those_of_the_folders_are_told(tmp_path, source, folders, names, says):
    photos = fill(tmp_path / "photos", [] if folders else ["a.png"])
    for name in folders:
        fill(photos / name, ["a.png"])
    with pytest.raises(DataError, match=says):
        source({"count": 1, "seed": 0, "classes": names}, {"images": photos})


def test_folders_all_of_which_are_empty_are_told_even_where_classes_are_given(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match=r"cat: no images \(looked for .*\): add some, or remove the folder"):
        in_order(tmp_path, ["cat"])
    with pytest.raises(
        DataError, match=r"cat: no images \(looked for .*\): add some, remove it, or name all `classes`"
    ):
        whole(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"cat\n\n cat \n", "'cat' stands twice"), (b"\n \n", "no names"), (b"caf\xe9", "no text in UTF-8")],
)
def test_a_file_of_classes_that_cannot_be_used_is_told(tmp_path, content, says):
    fill(tmp_path / "photos" / "cat", ["a.png"])
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(DataError, match=f"classes.txt: {says}.*: (give a file with a class a line|save it as such)"):
        folder.dataset({"count": None}, {"images": tmp_path / "photos", "classes": tmp_path / "classes.txt"})


@pytest.mark.parametrize(
    ("full", "link", "target", "says"),
    [
        ("cat", "dog", "cat", "{0}/dog: the folder {0}/cat again: remove the link {0}/dog"),
        ("cat", "0link", "cat", "{0}/cat: the folder {0}/0link again: remove the link {0}/0link"),
        ("cat", "dog", ".", "{0}/dog: the folder {0} again: remove the link {0}/dog"),
        ("cat/inner", "dog", "cat/inner", "{0}/cat/inner: the folder {0}/dog again: remove the link {0}/dog"),
    ],
)
def test_two_classes_that_are_one_folder_are_told_and_which_is_the_link(tmp_path, full, link, target, says):
    fill(tmp_path / full, ["a.png"])
    (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(DataError) as raised:
        whole(tmp_path)
    assert str(raised.value) == says.format(tmp_path)


def test_two_links_to_one_folder_are_told_without_blame(tmp_path):
    fill(tmp_path / "elsewhere", ["a.png"])
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"dog: the folder .*/cat again: remove one of them, if it is a link$"):
        whole(tmp_path / "photos")


def test_a_set_that_farm_synth_made_leaves_nothing_out(tmp_path):
    fill(tmp_path / "0", ["a.png"])
    (tmp_path / "set.json").write_text("{}")
    assert whole(tmp_path).note == ""


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    fill(tmp_path / "cat", ["a.png"])

    def forbidden(place):
        raise PermissionError(errno.EACCES, "Permission denied", str(place))

    monkeypatch.setattr(os, "scandir", forbidden)  # root may read everything
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\): check that it may be read"):
        whole(tmp_path)


def test_a_flat_folder_is_a_source_without_classes(tmp_path):
    fill(tmp_path, ["a.png", "b.png", "c.png"])
    sample = folder.source({"count": 3, "seed": 0}, {"images": tmp_path})
    assert sample.classes is None
    assert sample.block(0, 3).labels.tolist() == [-1, -1, -1]


def test_a_source_samples_class_by_class(tmp_path):
    fill(tmp_path / "a", ["1.png", "2.png", "3.png"])
    fill(tmp_path / "b", ["1.png", "2.png"])
    sample = folder.source({"count": 5, "seed": 0}, {"images": tmp_path})
    assert sample.block(0, 5).labels.tolist() == [0, 1, 0, 1, 0]
    with pytest.raises(DataError, match="`count: 6`, but there are only 5 images"):
        folder.source({"count": 6, "seed": 0}, {"images": tmp_path})


def test_a_count_is_balanced_over_the_subfolders_and_names_those_it_leaves_out(tmp_path):
    for name in ("cat", "cow", "dog"):
        fill(tmp_path / name, ["1.png", "2.png", "3.png"])
    assert whole(tmp_path, 6).block(0, 6).labels.tolist() == [0, 0, 1, 1, 2, 2]
    two = whole(tmp_path, 2)
    assert two.block(0, 2).labels.tolist() == [0, 1]
    assert two.note == "no images of 1 of 3 classes: dog"


def test_a_flat_folder_is_no_dataset(tmp_path):
    fill(tmp_path, ["a.png"])
    with pytest.raises(DataError, match="no subfolders: a dataset needs one subfolder a class"):
        whole(tmp_path)


@pytest.mark.parametrize("inner", ["", "cat"])
def test_a_folder_without_images_says_what_is_looked_for(tmp_path, inner):
    (tmp_path / inner).mkdir(exist_ok=True)
    (tmp_path / inner / "a.tga").write_bytes(b"")
    with pytest.raises(DataError, match=r"no images \(looked for .png, .jpg, .tif and whatever else Pillow reads\)"):
        folder.source({"count": 1, "seed": 0}, {"images": tmp_path})


def test_images_beside_subfolders_are_refused(tmp_path):
    fill(tmp_path / "cat", ["a.png"])
    fill(tmp_path, ["stray.png"])
    with pytest.raises(DataError, match=r"both subfolders and images \(stray.png\): move"):
        whole(tmp_path)


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere: not a folder"):
        whole(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an image"),
        (encode(IMAGES[0])[:50], "not an image"),
        (encode(pixels(1, (5, 6))[0]), "is 5x6 .* first one 6x5"),
    ],
)
def test_an_image_that_cannot_be_used_is_told_with_its_file(tmp_path, content, says):
    fill(tmp_path / "cat", ["a.png"])
    (tmp_path / "cat" / "b.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"cat/b.png: .*{says}"):
        whole(tmp_path).block(0, 2)


def labelled(path, text, **more):
    (path / "labels.csv").write_text(text)
    files = {"images": path / "photos", "labels": path / "labels.csv"}
    return folder.dataset({"count": None, **more}, files)


def test_a_file_of_labels_takes_the_place_of_subfolders(tmp_path):
    fill(tmp_path / "photos", ["a.png", "b.png"])
    fill(tmp_path / "photos" / "x", ["c.png"])
    images = labelled(tmp_path, "file,label\nx/c.png,cat\nphotos/b.png,dog\na,ant\n")
    assert images.block(0, 3).labels.tolist() == [0, 2, 1]
    assert (images.classes, images.names, images.note) == (3, ("ant", "cat", "dog"), "")


def test_labels_that_are_numbers_are_the_classes_numbers(tmp_path):
    fill(tmp_path / "photos", ["a.png", "b.png"])
    images = labelled(tmp_path, "a.png 10\nb.png 2\n")
    assert (images.block(0, 2).labels.tolist(), images.classes) == ([10, 2], None)
    images = labelled(tmp_path, "a.png 10\nb.png 2\n", classes=("2", "10"))
    assert (images.block(0, 2).labels.tolist(), images.classes) == ([1, 0], 2)


def test_what_a_file_of_labels_leaves_out_is_counted(tmp_path):
    fill(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    images = labelled(tmp_path, "a.png,0\nz.png,1\ny.png,1\n")
    assert len(images) == 1
    assert "2 images are not in labels.csv: b.png, c.png; labels.csv names no image by 'z.png', 'y.png'" in images.note


def test_a_file_of_labels_in_the_folder_itself_is_nothing_left_out(tmp_path):
    fill(tmp_path, ["a.png"])
    (tmp_path / "labels.csv").write_text("a.png,cat\n")
    images = folder.dataset({"count": None}, {"images": tmp_path, "labels": tmp_path / "labels.csv"})
    assert images.note == ""


def test_the_exact_name_goes_before_others(tmp_path):
    fill(tmp_path / "photos", ["a.png", "a.jpg"])
    images = labelled(tmp_path, "a.png,cat\nphotos/a.png,cat\na.jpg,dog\n")
    assert images.block(0, 2).labels.tolist() == [1, 0]
    assert images.names == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,dog\na.png,cat\n", "'a.png' is of 'cat', 'a' of 'dog', and both mean 'a.png': keep one"),
        ("a,dog\n", "'a' means both 'a.jpg' and 'a.png': write their whole names"),
    ],
)
def test_names_that_contradict_each_other_are_told(tmp_path, text, says):
    fill(tmp_path / "photos", ["a.png", "a.jpg"])
    with pytest.raises(DataError, match=f"labels.csv: {says}"):
        labelled(tmp_path, text)


def test_many_images_that_cannot_be_used_take_no_memory(tmp_path):
    """Each error would hold its image."""
    fill(tmp_path, ["a.png"])
    large = encode(np.zeros((500, 500, 3), np.uint8))
    for number in range(60):
        (tmp_path / f"b{number:02}.png").write_bytes(large)
    images = folder.source({"count": 61, "seed": 0}, {"images": tmp_path})
    tracemalloc.start()
    with pytest.raises(DataError, match=r"b00.png: the image is 500x500 .* 59 others of 61 images cannot be used"):
        images.block(0, 61)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 500 * 500 * 3


@pytest.mark.parametrize(("names", "says"), [(["a.png"], "an image is called 'a.png' there"), ([], "there is none")])
def test_labels_of_other_images_are_told(tmp_path, names, says):
    (tmp_path / "photos").mkdir()
    fill(tmp_path / "photos", names)
    with pytest.raises(DataError, match=f"labels.csv: names no image of .*photos: its first name is 'q.png', {says}"):
        labelled(tmp_path, "q.png,cat\n")


def test_all_images_that_cannot_be_used_are_told_at_once(tmp_path):
    fill(tmp_path / "cat", ["a.png", "e.png"])
    for name, content in {"b": b"", "c": encode(IMAGES[0])[:50], "d": encode(pixels(1, (5, 6))[0])}.items():
        (tmp_path / "cat" / f"{name}.png").write_bytes(content)
    cat = tmp_path / "cat"
    others = f"2 others of 5 images cannot be used: {cat / 'c.png'}, {cat / 'd.png'}"
    with pytest.raises(DataError, match=rf"^{cat}/b.png: not an image .*remove it; {others}$"):
        whole(tmp_path).block(0, 2)


def test_headers_tell_which_files_are_no_images_and_which_are_not_rgb(tmp_path):
    fill(tmp_path / "cat", ["a.png", "b.png"])
    (tmp_path / "cat" / "c.png").write_bytes(encode(IMAGES[0], "L"))
    images = whole(tmp_path)
    assert images.converted == {}
    images.look()
    assert images.converted == {"grey": 1}
    for name in "bc":
        (tmp_path / "cat" / f"{name}.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"cat/b.png: not an image .*; 1 other of 3 images cannot be used: .*/c.png$"):
        whole(tmp_path).look()


def test_headers_tell_which_files_have_another_size(tmp_path):
    fill(tmp_path / "cat", ["a.png"])
    (tmp_path / "cat" / "b.png").write_bytes(encode(pixels(1, (5, 6))[0]))
    with pytest.raises(DataError, match=r"b.png: the image is 5x6 \(height x width\), the first one 6x5: resize"):
        whole(tmp_path).look()
    fit = Fit(resize=8, size=(8, 8), interpolation="bilinear")
    folder.dataset({"count": None, "fit": fit}, {"images": tmp_path}).look()


def test_only_chosen_images_are_looked_at(tmp_path):
    fill(tmp_path, ["a.png", "b.png", "c.png"])
    images = folder.source({"count": 1, "seed": 0}, {"images": tmp_path})
    (chosen,) = images.indices
    for index, name in enumerate("abc"):
        if index != chosen:
            (tmp_path / f"{name}.png").write_bytes(b"hello")
    images.look()
    assert images.block(0, 1).images.shape == (1, 6, 5, 3)


def test_a_file_that_went_away_is_told(tmp_path):
    fill(tmp_path / "cat", ["a.png", "b.png"])
    images = whole(tmp_path)
    (tmp_path / "cat" / "b.png").unlink()
    with pytest.raises(DataError, match=r"b.png: cannot be read \(No such file"):
        images.block(0, 2)
