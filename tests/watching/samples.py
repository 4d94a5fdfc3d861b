"""Values to be watched."""

from __future__ import annotations

from gateway.store.store import Store
from gateway.sync.values import Held, HoldReason, OperationClass
from gateway.watching.metrics import Metrics
from gateway.watching.slow import SlowSteps
from gateway.watching.watch import Watch
from tests.store.samples import NOW, operation


def held(number: int) -> Held:
    """The removal of a block, held."""
    return Held(operation(absence_id=number, op_class=OperationClass.UNCOVER), HoldReason.MANY_REMOVALS, "many")


def watched(metrics: Metrics, store: Store) -> Watch:
    """What a run tells."""
    return Watch(metrics, SlowSteps(store, lambda: NOW))
