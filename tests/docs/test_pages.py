"""The pages that are generated say all there is, and what they are generated from says enough."""

import json
import re

import pytest
import yaml
from clips import REPOSITORY
from docs_pages import api, catalog, commands, notebooks, parameters, root_files

from hmdb_kedro import cli
from hmdb_kedro.params import RootParams

CATALOGS = sorted((REPOSITORY / "conf" / "base").glob("catalog_*.yml"))
ENTRIES = [entry for file in CATALOGS for entry in catalog.entries(file)]
# What is only of use while a run lasts, or the same as another entry at another moment.
INTERNAL = re.compile(r".*(_progress|_todo)|epoch_log")


def told_in_data():
    """The names in the first column of the table of docs/data.md."""
    text = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (`.+?) \|", text)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


class TestCatalog:
    def test_every_entry_is_read(self):
        settings = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in CATALOGS]
        assert {entry.name for entry in ENTRIES} == {name for known in settings for name in known}

    @pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
    def test_every_entry_says_what_it_holds(self, entry):
        assert entry.comment

    @pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
    def test_every_entry_is_told_in_data(self, entry):
        if INTERNAL.fullmatch(entry.name):
            return
        told = told_in_data()
        if entry.name == "{model}.ablation_scores":
            assert {"temporal.ablation_scores", "cnn3d_v1.ablation_scores"} <= told
        elif entry.name == "{name}_figure":
            assert {"reliability_figure", "fusion_weight_figure"} <= told
        else:
            assert entry.shown_name in told

    def test_data_tells_of_no_entry_that_is_not_there(self):
        patterns = [re.sub(r"\\{\w+\\}", "[a-z0-9_]+", re.escape(e.name)) for e in ENTRIES]
        unknown = [
            name
            for name in told_in_data()
            if not any(re.fullmatch(p, name.replace("<model>", "model")) for p in patterns)
        ]
        assert unknown == []

    def test_the_page_has_a_row_for_each(self):
        page = catalog.page(REPOSITORY)
        assert [e.name for e in ENTRIES if f"| `{e.shown_name}` |" not in page] == []


class TestParameters:
    def test_the_page_has_a_row_for_each_with_its_value(self):
        page = parameters.page(REPOSITORY)
        for branch, field in RootParams.model_fields.items():
            for name in getattr(field.annotation, "model_fields", {}):
                assert f"| `{branch}.{name}` |" in page
        assert "| `flow.bound_px` | float, > 0 |" in page
        assert "| `16.0`<br>sample: `4.0`<br>small: `12.0` |" in page

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"type": "integer", "minimum": 1, "maximum": 100}, "int, ≥ 1, ≤ 100"),
            ({"enum": ["dis", "tvl1"], "type": "string"}, "`dis`, `tvl1`"),
            (
                {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
                "float, > 0 or `null`",
            ),
            (
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2},
                "list of (int, ≥ 1), at least 2 of them",
            ),
            ({"type": "array", "prefixItems": [{"type": "string"}] * 2}, "[text, text]"),
        ],
    )
    def test_types_and_limits_are_told_in_words(self, schema, words):
        assert parameters.type_in_words(schema) == words


class TestCommands:
    def test_the_page_has_every_command_option_and_target(self):
        page = commands.page(REPOSITORY)
        for name, command in cli.hmdb.commands.items():
            section = page.partition(f"## kedro hmdb {name}\n")[2].partition("\n## ")[0]
            assert command.help.splitlines()[0] in section
            assert re.findall(r"(?m)^ {4}(?!kedro)", section) == []  # Markdown's code
            assert all(o.opts[0] in section for o in command.params if o.opts[0][0] == "-")
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        phony = set(re.findall(r"(?m)^\.PHONY: ([\w-]+)$", makefile))
        assert set(commands.targets(makefile)) == phony
        assert all(f"`make {name}`" in page for name in phony)


def test_the_api_has_every_module_that_defines_something():
    told = re.findall(r"(?m)^::: (\S+)$", "\n".join(api.pages(REPOSITORY).values()))
    assert {"hmdb_kedro.params", "hmdb_kedro.video.flow", "hmdb_kedro.failures"} <= set(told)
    assert {"hmdb_kedro.pipelines.flow.nodes", "hmdb_kedro.datasets.lance_table"} <= set(told)
    assert len(set(told)) == len(told)


class TestRootFiles:
    def test_links_are_turned_to_where_the_pages_are(self):
        text = "[a](docs/data.md#leaks) [b](notebooks/README.md) [c](https://x.org/y) [d](#e)"
        assert root_files.relinked(text, "CONTRIBUTING.md", "contributing.md") == (
            "[a](data.md#leaks) [b](notebooks/index.md) [c](https://x.org/y) [d](#e)"
        )

    def test_a_page_further_down_is_linked_from_there(self):
        text = "[a](../docs/data.md)"
        turned = root_files.relinked(text, "notebooks/README.md", "notebooks/index.md")
        assert turned == "[a](../data.md)"


class TestNotebooks:
    @pytest.fixture
    def repository(self, tmp_path):
        cells = [
            {"cell_type": "markdown", "source": ["# 1. A stage\n", "\n", "Words."]},
            {"cell_type": "code", "source": "1 + 1", "outputs": []},
        ]
        (tmp_path / "notebooks").mkdir()
        (tmp_path / "notebooks" / "README.md").write_text("# Notebooks\n", encoding="utf-8")
        file = tmp_path / "notebooks" / "1_a.ipynb"
        file.write_text(json.dumps({"cells": cells}), encoding="utf-8")
        return tmp_path

    def execute(self, repository, *outputs):
        """Keep an executed copy with these outputs."""
        (file,) = notebooks.files(repository)
        notebook = json.loads(file.read_text(encoding="utf-8"))
        notebook["cells"][1]["outputs"] = list(outputs)
        kept = notebooks.kept(file, repository)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(notebook), encoding="utf-8")

    def page(self, repository):
        return notebooks.pages(repository)["notebooks/1_a.md"]

    def test_without_outputs_the_page_says_so_and_shows_the_cells(self, repository):
        page = self.page(repository)
        assert page.startswith("# 1. A stage")
        assert "Without outputs" in page
        assert "```python\n1 + 1\n```" in page

    def test_outputs_of_the_notebook_as_it_stands_are_shown(self, repository):
        figure = {"data": [], "layout": {"title": "</script>"}}
        self.execute(
            repository,
            {"output_type": "stream", "text": ["a < b\n", "\x1b[1;36mc\x1b[0m"]},
            {"data": {"text/html": "<table></table>", "text/plain": "t"}, "output_type": "x"},
            {"data": {"application/vnd.plotly.v1+json": figure}, "output_type": "x"},
        )
        page = self.page(repository)
        assert "a &lt; b&#10;c</pre>" in page
        assert '<div class="output"><table></table></div>' in page
        (drawn,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
        assert json.loads(drawn) == figure
        assert "Without outputs" not in page

    def test_outputs_of_an_older_notebook_are_not(self, repository):
        self.execute(repository, {"output_type": "stream", "text": "old"})
        (file,) = notebooks.files(repository)
        file.write_text(file.read_text(encoding="utf-8").replace("1 + 1", "2"), encoding="utf-8")
        assert "Without outputs" in self.page(repository)

    def test_outputs_of_an_older_sample_run_are_not(self, repository):
        runs = repository / "data" / "sample" / "08_reporting" / "split1" / "metrics.json"
        (runs / "2026-01-01T00.00.00.000Z").mkdir(parents=True)
        self.execute(repository, {"output_type": "stream", "text": "old"})
        assert "Without outputs" not in self.page(repository)
        (runs / "2026-01-02T00.00.00.000Z").mkdir()
        assert "Without outputs" in self.page(repository)

    def test_plotlys_own_code_is_left_out(self, repository):
        data = {"text/html": "<script>/* plotly.js */</script>"}
        self.execute(repository, {"output_type": "display_data", "data": data})
        assert "plotly.js */" not in self.page(repository)
