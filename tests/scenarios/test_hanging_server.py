"""One slow server never delays the others.

Four of twenty agents, given up after 4 s, and two pairs keep this short; `python -m tests.scenarios.hanging_server`
measures five of fifty, 60 s and five pairs.
"""

from __future__ import annotations

import pytest

from gateway.clock import SystemClock
from tests.scenarios.conftest import New
from tests.scenarios.hanging_server import SilentServer, measure

_AGENTS, _HANGING = 20, 4
_GIVEN_UP = 4.0
_PAIRS = 2


@pytest.mark.parametrize("new_departement", ["radicale-sqlite"], indirect=True)
def test_agents_on_a_server_that_hangs_hold_up_nobody_else(new_departement: New) -> None:
    departement = new_departement(SystemClock())
    departement.read_timeout = _GIVEN_UP
    with SilentServer(60.0) as silent:
        figures = measure(departement, silent, agents=_AGENTS, hanging=_HANGING, pairs=_PAIRS)
        assert silent.connections > 0  # it is left alone after some failures
    assert figures.bound < _GIVEN_UP, f"too slow a machine for this hang to show: {figures}"
    assert figures.median <= figures.bound, figures
