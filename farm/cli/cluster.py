"""`farm cluster`: whether a cluster's file makes one that farm can use."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument

from farm.campaign.cluster import check
from farm.cli.options import say
from farm.report.numbers import count

EXAMPLES = """
farm cluster check cluster.yaml

farm cluster check docs/clusters/kuberay.yaml
"""


class Action(StrEnum):
    """What is done with a cluster."""

    CHECK = "check"


def cluster(
    action: Annotated[Action, Argument(help="check: read it, as Ray does, and say what it lacks. Starts nothing.")],
    file: Annotated[Path, Argument(metavar="FILE", help="Of Ray's cluster launcher, or a RayCluster of KubeRay.")],
) -> int:
    """Check a cluster's file: what Ray says of it, and what farm needs of its nodes.

    Exit code 0: it would work, 2: it would not.
    """
    found = check(file)
    for text in (*found.faults, *found.remarks):
        say(f"{file}: {text}")
    if found.faults:
        say(f"{action} of {file}: {count(len(found.faults), 'fault', 'faults')}, for which it would not work")
        return 2
    with_remarks = f", with {count(len(found.remarks), 'remark', 'remarks')}" if found.remarks else ""
    say(f"{action} of {file}: it would work{with_remarks}")
    return 0
