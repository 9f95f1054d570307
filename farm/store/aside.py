"""An artefact that is no longer what it was, moved out of the way: then it is missing, and is made again."""

import json
from contextlib import suppress
from dataclasses import replace

from farm.codec import decode, now
from farm.errors import DamageError
from farm.files import is_plain
from farm.record import Outcome
from farm.store import Store, names
from farm.store.manifest import Manifest


def set_aside(store: Store, uri: str, why: str = "", copy: str = "") -> Outcome | None:
    """Set an artefact aside if it is damaged.

    why: what showed that it is, where digests do not, and in which copy: another is not meant. Returns what was
    written down of it, as an attempt; None if it is sound, or not there any more. Raises OSError where nothing can
    be moved.
    """
    files, label = store.files, ""
    try:
        content = files.content(names.manifest(uri))
        store.check(uri)
        manifest = store.manifest(uri)
    except FileNotFoundError:
        return None
    except DamageError as error:
        why = f"damaged: {error.place}: {error.why}"
    else:
        if not why or manifest is None or manifest.copy != copy:
            return None
    place = names.aside(uri)
    if not files.moved(names.manifest(uri), f"{place}/{names.MANIFEST}", content):
        return None  # another process was first
    with suppress(ValueError, OSError):  # the manifest is out of the way: what it names need not be
        manifest = decode(Manifest, json.loads(content))
        label = manifest.label
        if is_plain(manifest.copy):
            source, target = (files.path(f"{at}/{manifest.copy}") for at in (names.artefact(uri), place))
            files.fs.mv(source, target, recursive=True)
    at = now()
    outcome = Outcome(uri=uri, label=label, error_class="damaged", error_type=DamageError.__name__)
    message = f"{why}; set aside in {files.shown(place)}"
    return store.attempts.add(uri, replace(outcome, error_message=message, started_at=at, finished_at=at))
