"""Local inputs: where they lie, what their content is, how official ones are fetched.

Knows paths, hashes and URLs, not what a file means.
"""

from farm.inputs.content import HashMemo, hash_in_name
from farm.inputs.fetch import DownloadProgress, fetch
from farm.inputs.here import astray, place
from farm.inputs.locate import Input, SearchPath, cache_folder, default_search, locate

__all__ = [
    "DownloadProgress", "HashMemo", "Input", "SearchPath",
    "astray", "cache_folder", "default_search", "fetch", "hash_in_name", "locate", "place",
]  # fmt: skip
