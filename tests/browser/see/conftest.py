from collections.abc import Iterator

import pytest

from .viewing import serving_repository


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The repository, served"""
    with serving_repository() as address:
        yield address
