"""The API exercised by its own description: whatever is asked, it answers as described and without a fault."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from gateway.api.routes import openapi
from gateway.api.values import Scope

SCHEMA = schemathesis.openapi.from_dict(openapi())
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations()]
WAYS = [
    pytest.param(operation, mode, id=f"{operation.path} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.query or operation.path_parameters  # else nothing can be wrong
]


@pytest.mark.parametrize(("operation", "mode"), WAYS)
def test_whatever_is_asked_is_answered_as_described(served, operation, mode):
    """No 5xx, no answer that the description does not know, nothing accepted that it does not allow."""
    headers = {"Authorization": f"Bearer {served.token(*Scope)}"}
    statuses = set()

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case):
        response = case.call(base_url=f"{served.url}/api/v1", headers=headers)
        statuses.add(response.status_code)
        case.validate_response(response, headers=headers)

    answered()
    assert statuses <= {200, 400, 401, 404, 405}  # 401: without its token, or with another
    assert statuses & ({200} if mode is GenerationMode.POSITIVE and "{" not in operation.path else {400, 404, 405})
