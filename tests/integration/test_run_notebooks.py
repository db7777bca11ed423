"""Every notebook runs from its folder on the sample run, and says what it needs without one."""

import pytest
from clips import REPOSITORY
from docs_pages import notebooks

pytestmark = pytest.mark.extended

FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted(file.stem for file in FOLDER.glob("*.ipynb"))


@pytest.fixture
def execute(monkeypatch):
    """Return what executes a notebook on the data below a folder, and gives it with its outputs."""

    def run(name, root, allow_errors=False):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        monkeypatch.delenv("KEDRO_ENV", raising=False)
        # What the first cell tells a reader to do for data elsewhere.
        reload = f"%reload_kedro --params data_root={root}"
        return notebooks.execute(FOLDER / f"{name}.ipynb", first=reload, allow_errors=allow_errors)

    return run


def outputs(notebook):
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_on_the_sample_and_shows_something(execute, sample_run, name):
    notebook = execute(name, sample_run.root)
    kinds = {kind for out in outputs(notebook) for kind in out.get("data", {})}
    assert {"text/html", "application/vnd.plotly.v1+json"} <= kinds
    noise = [out.text for out in outputs(notebook) if out.get("name") == "stderr"]
    assert noise == []


def test_without_a_run_a_notebook_says_in_one_line_what_to_do(execute, tmp_path):
    notebook = execute("2_frames_extraction", tmp_path, allow_errors=True)
    stopped = next(cell for cell in notebook.cells if cell.id == "need")
    (said,) = stopped.outputs
    assert said.text.count("\n") == 1
    assert (
        "Do: kedro run --env sample --pipelines data_prep,frames --params data_root=" in said.text
    )
