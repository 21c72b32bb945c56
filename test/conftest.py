"""What many tests share."""

from pathlib import Path

import pytest

from ace_ros.generated import make_room


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated room on disk, ACE's layout: 200 mapping frames, 60 queries."""
    return make_room(tmp_path_factory.mktemp("generated") / "room")
