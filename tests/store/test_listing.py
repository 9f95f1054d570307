"""What a store's folders tell without a file of theirs being opened."""

from farm.record import Outcome
from farm.store import MANIFEST, listing
from farm.store.manifest import Manifest
from tests.store.test_store import OTHER, URI

SAID = Manifest(label="x")


def listed(store):
    return store.listed([URI, OTHER])


def test_an_artefact_and_attempts_are_seen(store, folder):
    assert listed(store)[URI] == listing.Seen()
    store.commit(URI, folder, SAID)
    for _ in range(2):
        store.attempts.add(URI, Outcome(uri=URI, label="x"))
    store.attempts.add(OTHER, Outcome(uri=OTHER, label="x"))
    seen = listed(store)
    assert [(seen[uri].there, seen[uri].attempts) for uri in (URI, OTHER)] == [
        (True, ("1.json", "2.json")),
        (False, ("1.json",)),
    ]
    assert store.attempts.of(URI, seen[URI].attempts) == store.attempts.of(URI)


def test_a_store_is_listed_by_kinds_as_stage_by_stage(store, folder, monkeypatch):
    store.commit(URI, folder, SAID)
    store.attempts.add(OTHER, Outcome(uri=OTHER, label="x"))
    each = listed(store)
    monkeypatch.setattr(listing, "FEW", 0)
    assert listed(store) == each
    assert store.present([URI, OTHER]) == {URI}


def test_a_token_is_another_once_anything_of_a_stage_is_another(store, folder):
    tokens = [listed(store)[URI].token]

    def changed():
        tokens.append(listed(store)[URI].token)

    store.commit(URI, folder, SAID)
    changed()
    store.attempts.add(URI, Outcome(uri=URI, label="x"))
    changed()
    path = f"{store.files.root}/export/ab/{URI.partition('/')[2]}"
    store.files.fs.pipe_file(f"{path}/{store.manifest(URI).copy}/model.xml", b"<net>")
    changed()
    content = store.files.fs.cat_file(f"{path}/{MANIFEST}")
    store.files.fs.pipe_file(f"{path}/{MANIFEST}", content + b" ")
    changed()
    store.discard(URI)
    changed()
    assert len(set(tokens)) == len(tokens)
    assert listed(store)[URI].token == tokens[-1]


def test_what_a_writer_left_half_is_no_artefact(store, folder):
    store.commit(URI, folder, SAID)
    store.files.fs.rm_file(f"{store.files.root}/export/ab/{URI.partition('/')[2]}/{MANIFEST}")
    assert not listed(store)[URI].there
