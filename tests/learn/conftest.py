"""Steps of a millisecond: a second thread would only wait for the first, and on a busy machine very long."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """One thread for the tests of this folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
