from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def exports_root(tmp_path: Path, settings: Any) -> Path:
    """Uploads and exports of each test lie apart."""
    settings.MEDIA_ROOT = tmp_path / "media"
    root, kept = tmp_path / "exports", settings.STORAGES["exports"]
    settings.STORAGES = {
        **settings.STORAGES,
        "exports": {**kept, "OPTIONS": {**kept["OPTIONS"], "location": root}},
    }
    return root
