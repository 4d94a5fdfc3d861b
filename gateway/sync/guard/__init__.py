"""guard: pure functions that let operations through or hold them for a person.

`signs` says what is wrong with a whole side, `deciding` which operations wait for that, `clock` whether the present
can be believed, `fleet` what only everybody's plans together tell, `words` what IT is told.
"""

from __future__ import annotations

from gateway.sync.guard.deciding import GuardContext, context_of, guard, totals_of

__all__ = ["GuardContext", "context_of", "guard", "totals_of"]
