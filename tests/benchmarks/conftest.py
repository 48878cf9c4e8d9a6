"""The golden checkpoint, and folders of the test's own."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


@pytest.fixture(autouse=True)
def folders(tmp_path_factory, monkeypatch):
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / "cache"))
    monkeypatch.setenv("CHROMA_REALTIME_VOICES", str(base / "voices"))


@pytest.fixture(scope="session")
def golden() -> Path:
    return GOLDEN


@pytest.fixture
def one_case(tmp_path: Path) -> Path:
    """The golden checkpoint with its shortest case alone."""
    folder = tmp_path / "golden"
    folder.mkdir()
    for path in GOLDEN.iterdir():
        if path.suffix != ".npz" or path.stem == "short":
            (folder / path.name).symlink_to(path)
    return folder
