"""Tables of older farms as those of today. The one place that knows how they were, and that reads their sentences."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from farm.damage import check_schema
from farm.measuring.verdict import STRAY
from farm.plan import Effort
from farm.record import SCHEMA_VERSION, Ended, Record, Signal
from farm.results import tables
from farm.stats.ratios import Ratio

COMMAND = re.compile(r", then: (?P<command>.*?)(?: --only .*)? --fresh measure$")
PROPERTY = re.compile(r"(?P<property>[A-Z_]+) was (?P<found>.+?), not (?P<asked>.+?)(?:;|$)")
STRAYED = re.compile(r"threads were allowed on CPUs (?P<found>[\d, ]+) outside the lease")
IN_COLUMNS = 6  # the schema from which times are times, and verdicts no sentences
CAUSES = {  # how the sentences of a verdict that is not valid begin
    r"known within|one pair says nothing": "wide",
    r"\d+ of at least": "few_pairs",
    r"only \d+ of": "disturbed",
    r"[A-Z_]+ was ": "property",
    r"threads were allowed": "stray_cpus",
}
ENDED: dict[str, Ended] = {  # what they say is to be done
    "; it was enough by the rules": "target",
    "; raise settings.measure.pairs": "pairs",
    "; the time was spent": "budget",
    "; ask farm doctor": "disturbed",
}
SIGNALS: dict[str, Signal] = {
    "the hypervisor took": "steal",
    "other programs took": "foreign",
    "other programs kept it waiting": "delayed",
    "other programs on the cores' sibling threads took": "siblings",
    "the CPU quota held it back": "throttled",
    "the processor throttled itself": "overheated",
}
SHARE = re.compile(rf"({'|'.join(SIGNALS)}) (\d+)% of the time")


def is_older(table: pa.Table, place: str) -> bool:
    """Whether a table is of an older schema. Raises InputError if it is of a newer one. place: of the file."""
    schema = _schema(table)
    check_schema(place, schema, SCHEMA_VERSION)
    return schema < SCHEMA_VERSION


def _schema(table: pa.Table) -> int:
    return int((table.schema.metadata or {}).get(tables.SCHEMA, b"1"))


def records(table: pa.Table, effort: Effort | None) -> pa.Table:
    """``records.parquet`` of an older schema as one of today. effort: what measurements were judged by, if known."""
    rows = table.to_pylist()
    if _schema(table) >= IN_COLUMNS:
        metadata = {**table.schema.metadata, **tables.SCHEMAS[tables.RECORDS].metadata}
        return pa.Table.from_pylist(rows, schema=tables.SCHEMAS[tables.RECORDS].with_metadata(metadata))
    commands = (COMMAND.search(row.get("verdict_reason") or "") for row in rows)
    command = next((match["command"] for match in commands if match), "")
    metadata = {tables.COMMAND: command, **(table.schema.metadata or {}), **tables.SCHEMAS[tables.RECORDS].metadata}
    schema = tables.SCHEMAS[tables.RECORDS].with_metadata(metadata)
    return pa.Table.from_pylist([{**row, **_times(row), **_verdict(row, effort)} for row in rows], schema=schema)


def rows(name: str, table: pa.Table, record: Record) -> pa.Table:
    """One cell's rows of ``predictions/`` or ``latencies/`` of an older schema as such of today."""
    table = today(table)
    if name == tables.PREDICTIONS and "position" not in table.column_names:
        table = table.append_column("position", pa.array(np.arange(len(table), dtype=np.int32)))
    return tables.of_cell(name, table.drop_columns(["cell"]), tables.whose(record))


def today(table: pa.Table) -> pa.Table:
    """Rows of any version under today's names: an image's index is its position, signals have names, rounds turns."""
    names = ["position" if name == "index" else name for name in table.column_names]
    table = table.rename_columns(names)
    if "disturbed" in names and table.schema.field("disturbed").type == pa.string():
        texts = table["disturbed"].to_pylist()
        signals = [[signal for words, signal in SIGNALS.items() if words in text] for text in texts]
        table = table.set_column(names.index("disturbed"), "disturbed", pa.array(signals, pa.list_(pa.string())))
    return _in_turns(table) if "latencies_ns" in names and "turn" not in names else table


def _in_turns(rounds: pa.Table) -> pa.Table:
    """Rounds that were played one after the other as rounds of one turn, without probes."""
    count, none = len(rounds), pa.array([[]] * len(rounds), pa.list_(pa.int32()))
    columns = {
        "turn": rounds["position"],
        "probe_before_ns": none,
        "probe_after_ns": none,
        "full_speed": pa.nulls(count, pa.bool_()),
        "played_s": pc.divide(rounds["wall_ns"].cast(pa.float64()), 1e9),
        "used_s": pa.array([0.0] * count),
    }
    for name, column in columns.items():
        rounds = rounds.append_column(name, column)
    return rounds.drop_columns(["position"])


def attempts(table: pa.Table) -> pa.Table:
    """``attempts.parquet`` of an older schema as one of today."""
    times = _times if _schema(table) < IN_COLUMNS else dict
    return pa.Table.from_pylist([row | times(row) for row in table.to_pylist()], schema=tables.SCHEMAS[tables.ATTEMPTS])


def _times(row: Mapping[str, Any]) -> dict[str, datetime | None]:
    times = {name: row.get(name) for name in ("started_at", "finished_at")}
    return {name: datetime.fromisoformat(time) if time else None for name, time in times.items()}


def _verdict(row: Mapping[str, Any], effort: Effort | None) -> dict[str, Any]:
    """A verdict's columns, as far as its sentence and the interval of the speed-up tell them."""
    reason = COMMAND.sub("", row.get("verdict_reason") or "")
    if row.get("verdict") is None:
        return {}
    ratio = Ratio(value=1.0, low=row.get("speedup_ir_low"), high=row.get("speedup_ir_high"))
    columns: dict[str, Any] = {"within": ratio.within}
    if effort is not None:
        columns |= {"asked": effort.target, "least_pairs": effort.pairs[0]}
    if row["verdict"] == "valid":
        return columns
    columns["verdict_cause"] = next((cause for start, cause in CAUSES.items() if re.match(start, reason)), None)
    columns["ended"] = next((ended for words, ended in ENDED.items() if words in reason), None)
    if row["verdict"] == "invalid":
        columns["mismatches"] = json.dumps(_mismatches(reason)) if reason else None
    return columns | _worst(reason)


def _mismatches(reason: str) -> list[dict[str, str]]:
    different = [{name: match[name] for name in ("property", "asked", "found")} for match in PROPERTY.finditer(reason)]
    strayed = [{"property": STRAY, "asked": "", "found": match["found"]} for match in STRAYED.finditer(reason)]
    return different + strayed


def _worst(reason: str) -> dict[str, Any]:
    """The signal that took most, of those that a sentence tells."""
    shares = [(int(share) / 100, SIGNALS[words]) for words, share in SHARE.findall(reason)]
    if shares:
        share, signal = max(shares)
        return {"worst_signal": signal, "worst_share": share}
    return {"worst_signal": "overheated"} if "the processor throttled itself" in reason else {}
