"""A fresh session for each test."""

import pytest
from driving import Driver


@pytest.fixture
def driver() -> Driver:
    return Driver()
