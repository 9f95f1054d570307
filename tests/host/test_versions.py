"""Which versions differ from those that a run was planned with."""

import sys

import pytest

from farm.host.versions import unlike, version_of, versions


def test_a_library_that_is_not_installed_has_no_version():
    assert version_of("farm-test-nowhere") == "none"
    assert versions(["python", "farm-test-nowhere"]) == {
        "python": sys.version.split()[0],
        "farm-test-nowhere": "none",
    }


@pytest.mark.parametrize(
    ("wanted", "installed", "said"),
    [
        ({"nncf": "3.4.0"}, {"nncf": "3.4.0", "torch": "2"}, ""),
        ({"nncf": "3.4.0"}, {"nncf": "3.3.0"}, "nncf 3.3.0, not 3.4.0"),
        ({"nncf": "3.4.0"}, {}, "nncf none, not 3.4.0"),
        ({"torch": "2.14.1+cpu"}, {"torch": "2.14.1+cu130"}, ""),
        ({"torch": "2.14.1"}, {"torch": "2.14.0+cu130"}, "torch 2.14.0+cu130, not 2.14.1"),
        ({"python": "3.11.7"}, {"python": "3.11.9"}, ""),
        ({"python": "3.11.7"}, {"python": "3.12.7"}, "python 3.12.7, not 3.11.7"),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, "a 2, not 1, b 1, not 2"),
    ],
)
def test_what_a_library_was_built_for_and_pythons_patch_do_not_count(wanted, installed, said):
    assert unlike(wanted, installed) == said
