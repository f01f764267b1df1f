"""S16: requests made from the server's own description. No answer is a 5xx, and each is as it was described."""

from __future__ import annotations

from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.trust.conftest import API
from tests.trust.little import BLOCK

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 100  # of each route and way, at full scale


@pytest.fixture(scope="module")
def asked(start_little, film):
    """A server of its own, for what is asked may delete clips; its description; values that name what exists."""
    server = start_little(queue_limit="1000")
    clip_id = server.upload(film).json()["id"]
    assert server.finish(clip_id)["state"] == "done"
    schema = schemathesis.openapi.from_url(f"{server.url}{API.removesuffix('/clips')}/openapi.json")
    yield server, schema, {"clip_id": clip_id, "block": BLOCK}
    assert server.stop() == 0


def hold(operation, url, existing, mode, examples):
    """Ask the route in all ways that its description allows (or forbids); -> how many answers of each status."""
    statuses: Counter[int] = Counter()
    session = requests.Session()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def ask(case, real):
        if real and operation.method != "delete":  # most routes say no more than 404 of what is not there
            case.path_parameters = {**(case.path_parameters or {}), **_among(case.path_parameters, existing)}
            if isinstance(case.query, dict) and "block" in case.query:
                case.query["block"] = BLOCK
        response = case.call(base_url=url, session=session, timeout=30)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    ask()
    session.close()
    return statuses


def _among(parameters, existing):
    return {name: value for name, value in existing.items() if name in (parameters or {})}


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")  # of schemathesis, on what it cannot make
def test_s16_no_request_that_the_description_allows_or_forbids_makes_the_server_fail(asked, scale, figure):
    server, schema, existing = asked
    statuses: Counter[int] = Counter()
    failures: list[str] = []
    routes = [result.ok() for result in schema.get_all_operations()]

    for operation in routes:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                statuses += hold(operation, server.url, existing, mode, max(4, round(EXAMPLES * scale)))
            except Unsatisfiable:  # a route without parameters forbids nothing
                assert mode is GenerationMode.NEGATIVE
            except Exception as error:  # every route is heard before the test fails
                failures.append(f"{operation.label} {mode.value}: {type(error).__name__} {str(error)[:600]}")

    figure(f"{sum(statuses.values())} requests to {len(routes)} routes: {dict(sorted(statuses.items()))}")
    print("\n\n".join(failures))
    assert not failures
    assert not [status for status in statuses if status >= 500]
    assert server.http.get("/healthz").status_code == 200
