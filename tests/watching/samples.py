"""Values to be watched."""

from __future__ import annotations

from gateway.sync.values import Held, HoldReason, OperationClass
from gateway.watching.metrics import Metrics
from gateway.watching.watch import Watch
from tests.store.samples import operation


def held(number: int) -> Held:
    """The removal of a block, held."""
    return Held(operation(absence_id=number, op_class=OperationClass.UNCOVER), HoldReason.MANY_REMOVALS, "many")


def watched(metrics: Metrics) -> Watch:
    """What a run tells."""
    return Watch(metrics)
