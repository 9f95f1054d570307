"""What campaigns are tested with."""

from tests.results.conftest import bench

__all__ = ["bench"]
