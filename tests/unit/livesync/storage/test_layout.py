"""Where the files of stores are."""

from pathlib import Path

from livesync.storage.files.layout import Layout


def test_no_two_ids_share_a_file(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ids = ["a", "A", "a-b", "a_b", "..", "../../etc/passwd", "CON", "é", "e\u0301", "x" * 512, "/"]

    files = {str(layout.file(store_id)).lower() for store_id in ids}

    assert len(files) == len(ids)
    assert all(Path(file).is_relative_to(str(tmp_path).lower()) for file in files)
