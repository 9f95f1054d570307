"""Files that tell the class of each image."""

import pytest

from farm.data import labels
from farm.errors import DataError


def read(path, text):
    (path / "labels.csv").write_text(text, encoding="utf-8")
    return labels.read(path / "labels.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png,cat\nb.png,dog\n", {"a.png": "cat", "b.png": "dog"}),
        ("\ufeffa.png,cat\r\n\r\nb.png,dog", {"a.png": "cat", "b.png": "dog"}),
        ("file,label\na.png,3\n", {"a.png": "3"}),
        ("label,filename,width\ncat,a.png,32\n", {"a.png": "cat"}),
        ("image_id,patient,label\na,1,0\nb,0,1\n", {"a": "0", "b": "1"}),
        ("Image\tClass\na.png\tcat\n", {"a.png": "cat"}),
        ("a.png;cat\n", {"a.png": "cat"}),
        ("ILSVRC2012_val_00000001.JPEG 65\n", {"ILSVRC2012_val_00000001.JPEG": "65"}),
        ("./x/a.png, cat \n", {"x/a.png": "cat"}),
        ('"a, b.png","a ""cat"""\n', {"a, b.png": 'a "cat"'}),
        ("a.png,cat\na.png,cat\n", {"a.png": "cat"}),
        ("cat.png,label\n", {"cat.png": "label"}),
    ],
)
def test_names_and_classes_are_told_apart(tmp_path, text, expected):
    assert read(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no lines: give one an image"),
        ("\n \n", "no lines"),
        ("a.png\n", r"line 1, 'a.png', has not a name and a class, separated by ',': write it so, or name the columns"),
        ("a.png,cat\nb.png,\n", r"line 2, 'b.png,', has not a name and a class"),
        (
            "a.png golden retriever\nb.png golden eagle\n",
            "line 1, 'a.png golden retriever', has not a name and a class",
        ),
        ("id,patient,diagnosis\na.png,1,0\n", "line 1, .* or name the columns in the first line: file, label"),
        ("file,age,label\na.png,cat\n", "line 2, 'a.png,cat', has not 3 fields as the first line"),
        ("a.png,cat\na.png,dog\n", r"'a.png' is of 'cat' and, in line 2, of 'dog': keep one"),
        ('a.png,"' + "x" * 200_000 + '"\n', "is no line of names and classes"),
        ('a.png,cat\nb.png,"dog\nc.png,cat\n', "is no line of names and classes .*: mend it"),
        ("file,label\n\n\na.png,cat\nb.png\n", "line 5, 'b.png', has not a name and a class"),
        ("file,label\n", "no lines but the names of columns"),
    ],
)
def test_what_is_no_table_of_labels_is_told(tmp_path, text, says):
    with pytest.raises(DataError, match=f"labels.csv: .*{says}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("words", "numbers", "names"),
    [
        (["10", "2", "010"], [10, 2, 10], ()),
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
    ],
)
def test_labels_are_numbers_or_names(tmp_path, words, numbers, names):
    found, called = labels.numbered(tmp_path, words)
    assert (found.tolist(), called) == (numbers, names)


@pytest.mark.parametrize("words", [["0", "1", "n/a"], ["-1", "1"], ["1.0", "10.0"], ["1e3", "2"], ["12345678901", "1"]])
def test_numbers_that_are_none_of_a_class_are_told(tmp_path, words):
    with pytest.raises(
        DataError, match=r"the label '.*' is no number of a class: number the classes from 0 up, or name"
    ):
        labels.numbered(tmp_path, words)
