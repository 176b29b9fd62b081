"""How a file of frames is refused: one line, with what the user needs to know."""

import pytest

from mekrr.data.frames import read_frames
from mekrr.errors import DataError


def refused(path, *words, **how):
    with pytest.raises(DataError) as caught:
        read_frames(path, **how)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
