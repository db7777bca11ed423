"""The notebooks as they stand in git: no outputs, no logic, and what they ask for exists."""

import ast
import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from clips import REPOSITORY
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from kedro.io import DataCatalog

from hmdb_kedro.configuration import ProjectConfigLoader
from hmdb_kedro.errors import UserError
from hmdb_kedro.notebooks import need
from hmdb_kedro.settings import CONFIG_LOADER_ARGS

FILES = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
LONGEST_DEFINITION = 5
STAGES = [
    "1_eda",
    "2_frames_extraction",
    "3_3dcnn_v1",
    "4_3dcnn_v2",
    "5_resnet50_finetuned",
    "6_flow_extraction",
    "7_two_streams",
]


def read(file):
    return json.loads(file.read_text(encoding="utf-8"))


def sources(file):
    """Return the code cells, without IPython's magics."""
    cells = [cell for cell in read(file)["cells"] if cell["cell_type"] == "code"]
    return [re.sub(r"(?m)^%.*$", "", "".join(cell["source"])) for cell in cells]


def test_every_stage_has_its_notebook():
    assert [file.stem for file in FILES] == STAGES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_outputs_are_stripped(file):
    notebook = read(file)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_cells_have_ids_of_their_own(file):
    notebook = read(file)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_logic_is_in_the_package(file):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for code in sources(file) for node in ast.walk(ast.parse(code))]
    long = [
        node.name
        for node in found
        if isinstance(node, kinds) and (node.end_lineno or 0) - node.lineno >= LONGEST_DEFINITION
    ]
    assert long == []


def cell(stage, name):
    """Return the source of a cell."""
    cells = read(REPOSITORY / "notebooks" / f"{stage}.ipynb")["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["id"] == name)


def test_half_as_wide_and_twice_as_long_are_so_for_any_network():
    statements = ast.parse(cell("4_3dcnn_v2", "change")).body
    (changes,) = [
        statement.value
        for statement in statements
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "changes"
    ]
    params = SimpleNamespace(filters=(24, 64), window=16)
    made = eval(ast.unparse(changes), {"params": params})
    assert made["half as wide"] == {"filters": (12, 32)}
    assert made["twice as long"] == {"window": 32}


@pytest.mark.parametrize(("figure", "part"), [("val_loss", "validation"), ("loss", "training")])
def test_losses_are_drawn_without_a_validation_part_too(figure, part):
    history = {"epochs": [{"loss": 3.0, figure: value} for value in (1.0, 0.5)]}
    names = {
        "pd": pd,
        "catalog": SimpleNamespace(load=lambda _: history),
        "models": ("cnn3d_v1", "cnn3d_v2"),
    }
    *preparing, drawing = ast.parse(cell("4_3dcnn_v2", "curve")).body
    exec("\n".join(map(ast.unparse, preparing)), names)
    drawn = eval(ast.unparse(drawing), names)
    assert drawn.layout.title.text == f"Loss on {part} clips"
    assert list(drawn.data[1].y) == [1.0, 0.5]


@pytest.fixture(scope="module")
def known():
    """Return the catalog of the sample set."""
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), "sample", **CONFIG_LOADER_ARGS)
    return DataCatalog.from_config(loader["catalog"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_notebook_loads_is_in_the_catalog(file, known):
    code = "".join(sources(file))
    (needed,) = re.findall(r"need\(\s*context,\s*\[([^\]]*)\]", code)
    names = re.findall(r'catalog\.load\("([^"]+)"\)', code) + re.findall(r'"([^"]+)"', needed)
    assert len(names) > 2
    assert [name for name in names if name not in known] == []


class TestNeed:
    def context(self, made):
        catalog = SimpleNamespace(exists=lambda name: name in made)
        given = {"data_root": "/big/disk", "split": 2}
        return SimpleNamespace(catalog=catalog, env="sample", _runtime_params=given)

    def test_nothing_happens_where_all_is_there(self):
        need(self.context({"frames", "flow"}), ["frames", "flow"], "data_prep,frames,flow")

    def test_what_is_missing_is_named_with_the_command_that_makes_it(self):
        with pytest.raises(UserError) as error:
            need(self.context({"frames"}), ["frames", "flow"], "frames,flow")
        assert "none of: flow. Do: kedro run --env sample" in str(error.value)
        assert str(error.value).endswith(
            "--pipelines frames,flow --params data_root=/big/disk,split=2"
        )


def test_a_users_mistake_is_one_line_in_a_notebook():
    shell = InteractiveShell.instance()
    shell.push({"context": TestNeed().context(set())})
    with capture_output() as shown:
        result = shell.run_cell(
            "from hmdb_kedro.notebooks import need\nneed(context, ['frames'], 'frames')"
        )
    assert isinstance(result.error_in_exec, UserError)  # what follows does not run
    assert shown.stdout == ""
    assert shown.stderr.startswith("Error: This notebook needs")
    assert shown.stderr.count("\n") == 1
