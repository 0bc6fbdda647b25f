"""The Hugging Face hub, of which a folder takes the place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of their own affairs


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder; in it a repository is one too."""
    library: Any = pytest.importorskip("huggingface_hub")

    class Api:
        def __init__(self, token: Any = None) -> None:
            assert token == "secret"

        def create_repo(self, repo_id: str, private: bool, exist_ok: bool) -> Any:
            (tmp_path / repo_id).mkdir(parents=True, exist_ok=exist_ok)
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(
            self, repo_id: str, folder_path: str, commit_message: str, delete_patterns: list[str]
        ) -> None:
            for pattern in delete_patterns:
                for path in (tmp_path / repo_id).glob(pattern):
                    path.unlink()
            shutil.copytree(folder_path, tmp_path / repo_id, dirs_exist_ok=True)

    def download(name: str, **options: Any) -> str:
        assert not any(pattern.endswith(".py") for pattern in options["allow_patterns"])
        if not (tmp_path / name).is_dir():
            raise OSError(f"no repository {name}")
        return str(tmp_path / name)

    monkeypatch.setattr(library, "HfApi", Api)
    monkeypatch.setattr(library, "snapshot_download", download)
    return tmp_path


def test_pushed_and_loaded_again(hub: Path, saved: Path) -> None:
    from huggingface_hub import ModelCard

    model, texts = DTGCNN.from_pretrained(str(saved), backend="numpy"), ["where is it", "refund"]
    figures = {"trained": {"recall@1": 0.875, "map@r": 0.5, "k": None}, "input": {"recall@1": 0.1}}
    for _ in range(2):
        model.push_to_hub(
            "me/own", figures=figures, dataset="tickets", license="mit", token="secret"
        )
    again = DTGCNN.from_pretrained("me/own", backend="numpy")
    np.testing.assert_array_equal(again.encode(texts), model.encode(texts))
    assert len(list((hub / "me" / "own").glob("encoder-*/encoder.json"))) == 1
    card = ModelCard.load(hub / "me" / "own" / "README.md")
    assert (card.data.license, card.data.library_name) == ("mit", "dtgcnn")
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found == {"recall@1": 0.875, "map@r": 0.5}
    for told in ("`tfidf`", "## Limits", "tickets", 'DTGCNN.from_pretrained("me/own")', "0.8750"):
        assert told in card.text, told


def test_what_the_hub_does_not_have(hub: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'me/none' cannot be found: .*no repository me/non"):
        DTGCNN.from_pretrained("me/none")


def test_a_pretrained_model_that_lies_here_is_not_pushed(hub: Path, saved: Path) -> None:
    model: Any = DTGCNN.load(saved)
    model.encoder.model_name = str(saved)
    with pytest.raises(ValueError, match="where nobody else has it: train with its name"):
        model.push_to_hub("me/own", token="secret")
    assert not (hub / "me").exists()


def test_without_the_library_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['huggingface_hub'] = None\n"
        "from dtgcnn import DTGCNN; DTGCNN.from_pretrained('me/own')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'dtgcnn[hub]'" in done.stderr
