"""The notebooks run from their first cell to their last, on a small base, and are kept without what they drew."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jobs_home import QUICK
from manera.bases import base_model

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = ("lab", "fine-tuning", "writing")
"""In the order in which they are read: the last writes with the voice that the second has trained."""


def run(name: str, folder: Path) -> str:
    """Run a copy of a notebook; return all that it printed."""
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.slow(60)
@pytest.mark.filterwarnings("ignore:::jupyter_client")
def test_the_notebooks_run(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("MANERA_HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    for setting, value in QUICK.items():
        monkeypatch.setenv(f"MANERA_TRAINING_{setting}", value)
    shutil.copytree(tiny_base, home / "bases" / base_model.folder_name(("ru", "en")))
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    told = {name: run(name, tmp_path / "examples" / "notebooks") for name in NOTEBOOKS}
    assert "Next: " in told["lab"]
    assert (tmp_path / "examples" / "notebooks" / "lab-search.html").is_file()
    assert "bits per byte" in told["fine-tuning"]
    assert "And who brings the cake?" in told["writing"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_what_it_drew(name: str) -> None:
    notebook = nbformat.read(EXAMPLES / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
