"""A library of its own for a test, without a server."""

from __future__ import annotations

import pytest

from app.database import open_database
from app.library import Library


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path, None)
    yield engine
    engine.dispose()


@pytest.fixture
def library(engine, tmp_path):
    return Library(engine, tmp_path)
