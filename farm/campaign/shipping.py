"""Inputs that only this host has, put into the store that all hosts reach."""

from collections.abc import Collection
from dataclasses import replace

from farm.campaign.listener import Listener
from farm.errors import InputError
from farm.inputs import HashMemo, Input, astray, place
from farm.inputs.ship import TooLargeError, packed
from farm.plan import Plan
from farm.report.numbers import count
from farm.store import Store, names


def shipped(plan: Plan, uris: Collection[str], store: Store, listener: Listener) -> Plan:
    """The plan, once the store has what these stages need of this host, but for what is too large.

    What comes from an address, or lacks here too, stays as it is. Raises InputError for what has changed meanwhile.
    """
    local = {file.sha256: file for uri in uris for file in plan.stages[uri].files.values() if _is_local(file)}
    sent, total = set[str](), 0
    for sha256, file in local.items():
        try:
            total += _put(store, file)
            sent.add(sha256)
        except TooLargeError as error:
            listener.say(f"{error}, so it is not shipped: let it lie at the same path on every node, or name a URL")
    if sent:
        listener.say(f"shipped {count(len(sent), 'input', 'inputs')}, {total / 2**20:.1f} MiB of them new to the store")
    stages = {
        uri: replace(stage, files={role: _marked(file, sent) for role, file in stage.files.items()})
        for uri, stage in plan.stages.items()
    }
    return replace(plan, stages=stages)


def _put(store: Store, file: Input) -> int:
    """Have the store hold an input; how many bytes that took. Raises TooLargeError."""
    name = names.shipped(file.sha256)
    if store.files.has(name):
        return 0
    try:
        content = packed(file)
    except OSError as error:
        raise InputError(f"--ship: {error}") from error
    if astray(file, HashMemo(None)):
        raise InputError(f"{place(file)} has changed since the run was planned: run it again")
    store.files.put(name, content, durable=True)
    return len(content)


def _marked(file: Input, sent: Collection[str]) -> Input:
    return replace(file, shipped=True) if _is_local(file) and file.sha256 in sent else file


def _is_local(file: Input) -> bool:
    """Whether it is here, and from nowhere else."""
    return not file.url and not file.missing
