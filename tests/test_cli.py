"""What a user reads when something is wrong: one line, and the right exit code."""

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import configure_project, pipelines, settings
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro_datasets.json import JSONDataset
from score_tables import index_of, scores_of

from hmdb_kedro import cli, graph, pipeline_registry
from hmdb_kedro.configuration import ProjectConfigLoader
from hmdb_kedro.errors import UserError
from hmdb_kedro.failures import explain
from hmdb_kedro.terminal import results_table

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True, scope="module")
def _configured():
    configure_project("hmdb_kedro")


@pytest.fixture
def configuration(tmp_path):
    for environment in ("base", "sample"):
        (tmp_path / "conf" / environment).mkdir(parents=True)
    return tmp_path / "conf"


def raised(action):
    """Return the exception that an action raises."""
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def python(script, folder=PROJECT):
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def command_that_raises(error):
    def callback():
        raise error

    return cli.CleanCommand("test", callback=callback)


def run_below(root):
    """Store a run of one model, as a protocol does."""
    entries = {
        "07_model_output/split1/spatial_protocol.json/1/spatial_protocol.json": json.dumps(
            {"split": 1, "seed": 1, "settings_key": "a"}
        ),
        "07_model_output/split1/spatial_scores.parquet/1/spatial_scores.parquet": scores_of(1),
        "03_primary/clip_index.parquet/1/clip_index.parquet": index_of(scores_of(1)),
    }
    for name, entry in entries.items():
        (root / name).parent.mkdir(parents=True)
        if isinstance(entry, str):
            (root / name).write_text(entry, encoding="utf-8")
        else:
            entry.to_parquet(root / name)


def test_run_keeps_every_option_of_kedros_own():
    own = [option.opts for option in cli.run.params]
    assert own == [*(option.opts for option in kedro_run.params), ["--verbose", "-v"]]
    assert cli.run.help == kedro_run.help


def test_a_users_mistake_is_one_line_without_a_traceback(monkeypatch, configuration):
    monkeypatch.chdir(configuration.parent)
    result = CliRunner().invoke(command_that_raises(UserError("No clips.\n  Received: 0.")))
    assert (result.exit_code, result.stderr) == (1, "Error: No clips. Received: 0.\n")


def test_the_traceback_behind_the_line_is_kept_for_debugging(monkeypatch, configuration, caplog):
    monkeypatch.chdir(configuration.parent)
    with caplog.at_level(logging.DEBUG, logger="hmdb_kedro"):
        CliRunner().invoke(command_that_raises(UserError("No clips.")))
    assert [record.levelname for record in caplog.records if record.exc_info] == ["DEBUG"]


def test_a_mistake_in_the_code_keeps_its_traceback(monkeypatch, configuration):
    monkeypatch.chdir(configuration.parent)
    result = CliRunner().invoke(command_that_raises(TypeError("unexpected")))
    assert isinstance(result.exception, TypeError)


def test_an_interrupt_ends_calmly(monkeypatch, configuration):
    monkeypatch.chdir(configuration.parent)
    result = CliRunner().invoke(command_that_raises(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert result.stderr.startswith("Stopped.")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [["--params", r"data_prep.source_pattern=[a-z]+_(?P<source>\d+)"], ["--config", "run.yml"]],
)
def test_options_that_cannot_be_read_are_named(monkeypatch, tmp_path, options):
    monkeypatch.chdir(tmp_path)
    Path("run.yml").write_text("env: sample", encoding="utf-8")
    result = CliRunner().invoke(cli.run, options)
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
    assert f"Received: {' '.join(options)}." in result.stderr
    assert result.stderr.count("\n") == 1


def test_broken_metrics_are_not_said_to_be_absent(monkeypatch, configuration):
    file = configuration.parent / "metrics.json"
    catalog = DataCatalog({"metrics": JSONDataset(filepath=str(file))})
    context = SimpleNamespace(catalog=catalog)
    monkeypatch.setattr(cli.results, "open_context", lambda *_: context)
    monkeypatch.chdir(configuration.parent)
    absent = CliRunner().invoke(cli.hmdb, ["results"])
    file.write_text('{"spatial": {"to', encoding="utf-8")
    broken = CliRunner().invoke(cli.hmdb, ["results"])
    assert absent.stderr == "Error: There are no metrics yet. Do: kedro run\n"
    assert "metrics.json" in broken.stderr
    assert "no metrics yet" not in broken.stderr
    assert (broken.exit_code, broken.stderr.count("\n")) == (1, 1)


class TestServe:
    def serve(self, monkeypatch, configuration, aliases):
        """Return the result, and the commands that took over, where one model has these aliases."""
        started = []
        client = SimpleNamespace(
            search_registered_models=lambda _: [SimpleNamespace(aliases=aliases)]
        )
        monkeypatch.setattr("mlflow.MlflowClient", lambda store: client)
        monkeypatch.setattr(cli.prediction, "open_context", lambda *_: None)
        monkeypatch.setattr("hmdb_kedro.tracking.hooks.choose_store", lambda _: "sqlite:///x.db")
        monkeypatch.setattr(os, "execve", lambda *command: started.append(command))
        monkeypatch.chdir(configuration.parent)
        return CliRunner().invoke(cli.hmdb, ["serve", "--env", "sample"]), started

    def test_without_a_model_it_says_what_to_do(self, monkeypatch, configuration):
        result, started = self.serve(monkeypatch, configuration, {})
        assert (result.exit_code, started) == (1, [])
        told = "There is no model to serve yet. Received: sqlite:///x.db. Do: make run"
        assert result.stderr == f"Error: {told}\n"

    def test_mlflows_server_reads_the_projects_own_store(self, monkeypatch, configuration):
        _, ((_, command, environment),) = self.serve(monkeypatch, configuration, {"best": "1"})
        assert command[1:5] == ["-m", "mlflow", "models", "serve"]
        assert "models:/two_stream@best" in command
        assert environment["MLFLOW_TRACKING_URI"] == "sqlite:///x.db"


@pytest.mark.parametrize("command", ["colour", "build"])
def test_commands_of_the_graph_end_as_calmly_as_all_others(command):
    assert isinstance(graph.main.commands[command], cli.CleanCommand)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--env", "nope"], "no such environment. Received: nope. Known: base, sample."),
        (["--pipeline", "nope"], "no such pipeline. Received: nope. Known: __default__,"),
        (["--pipelines", "data_prep,nope"], "no such pipeline. Received: nope."),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(monkeypatch, configuration, options, message):
    names = ["data_prep", "flow"]
    monkeypatch.setattr(cli.base, "pipeline_names", lambda: names)
    monkeypatch.chdir(configuration.parent)
    result = CliRunner().invoke(cli.run, options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_configuration_one_line_names_the_option(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.run, [])
    assert result.exit_code == 1
    assert "--conf-source" in result.stderr
    assert result.stderr.count("\n") == 1


class TestExplain:
    def test_kedros_wrapping_is_stripped_from_a_users_error(self):
        class Refusing(MemoryDataset):
            def load(self):
                raise UserError("`path` is no folder. Received: clips.zip.")

        error = raised(Refusing().load)
        assert isinstance(error, DatasetError)
        error.add_note("Catalog entry `raw_videos` (data/clips.zip):")
        assert explain(error) == (
            "Catalog entry `raw_videos` (data/clips.zip): `path` is no folder. Received: clips.zip."
        )

    def test_a_missing_file_is_named(self, tmp_path):
        error = raised(JSONDataset(filepath=str(tmp_path / "absent.json")).load)
        assert "absent.json" in explain(error)
        assert "JSONDataset" not in explain(error)

    def test_a_mistake_inside_a_dataset_is_no_users_error(self):
        class Broken(MemoryDataset):
            def load(self):
                raise TypeError("unexpected")

        assert explain(raised(Broken().load)) is None

    def test_a_missing_package_says_what_to_install(self):
        error = raised(lambda: __import__("a_package_that_is_not_there"))
        assert explain(error) == (
            '`a_package_that_is_not_there` is not installed. Do: pip install "hmdb_kedro[train]"'
        )

    def test_a_full_disk_is_said_plainly(self):
        assert "No space left" in explain(OSError(28, "No space left on device", "flow.lance"))

    @pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), ValueError("x")])
    def test_other_errors_need_their_traceback(self, error):
        def stumble():
            raise error

        assert explain(raised(stumble)) is None


def test_pipelines_stand_in_the_order_of_the_data_and_default_is_all_of_them(monkeypatch):
    names = [name for name in pipeline_registry.ORDER if name in pipeline_registry.pipeline_names()]
    assert pipeline_registry.pipeline_names()[: len(names)] == names
    found = {name: pipeline_registry.Pipeline([]) for name in reversed(names)}
    monkeypatch.setattr(pipeline_registry, "find_pipelines", lambda **_: found)
    assert list(pipeline_registry.register_pipelines()) == ["__default__", *names]


def test_only_the_pipelines_asked_for_are_imported():
    pipelines.set_requested(["data_prep"])
    try:
        assert set(pipeline_registry.register_pipelines()) <= {"__default__", "data_prep"}
    finally:
        pipelines.set_requested(None)


def test_a_project_without_a_local_environment_reads_base(configuration):
    (configuration / "base" / "parameters.yml").write_text("seed: 3", encoding="utf-8")
    options = {"base_env": "base", "default_run_env": "local"}
    assert ProjectConfigLoader(str(configuration), **options)["parameters"] == {"seed": 3}
    (configuration / "local").mkdir()
    (configuration / "local" / "parameters.yml").write_text("seed: 4", encoding="utf-8")
    assert ProjectConfigLoader(str(configuration), **options)["parameters"] == {"seed": 4}


def test_the_table_has_a_row_a_model_and_a_dash_for_what_is_not_known():
    table = results_table({"spatial": {"top1": 1 / 3, "n": 108}, "two_stream": {"top1": 1.0}})
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["spatial", "two_stream"]
    assert cells[1] == ["0.333", "1.000"]
    assert cells[-1] == ["108", "–"]


def test_hmdb_is_a_group_beside_kedros_commands():
    assert isinstance(cli.cli.commands["hmdb"], click.Group)
    assert cli.cli.commands["run"] is cli.run
    assert "results" in cli.hmdb.commands


class TestRootsOfASummary:
    @pytest.fixture(autouse=True)
    def _without_session(self, monkeypatch):
        """Read the parameters alone: a session imports MLflow."""
        loader = settings.CONFIG_LOADER_CLASS(
            str(PROJECT / "conf"), env="sample", **settings.CONFIG_LOADER_ARGS
        )
        context = SimpleNamespace(config_loader=loader)
        monkeypatch.setattr(cli.studies, "open_context", lambda *_: context)
        monkeypatch.chdir(PROJECT)

    def result(self, *roots):
        arguments = ["protocol-summary", "--env", "sample", *map(str, roots)]
        return CliRunner().invoke(cli.hmdb, arguments)

    def test_a_mistyped_one_is_refused(self, tmp_path):
        result = self.result(tmp_path / "nowhere")
        assert result.exit_code == 2
        assert "nowhere' does not exist" in " ".join(result.stderr.split())

    def test_one_without_runs_is_named(self, tmp_path):
        run_below(tmp_path / "left")
        (tmp_path / "right").mkdir()
        result = self.result(tmp_path / "left", tmp_path / "right")
        assert result.exit_code == 1
        assert f"Received: {tmp_path / 'right'} with none." in result.stderr
        assert self.result(tmp_path / "left").exit_code == 0


def test_without_kedro_one_line_says_what_to_install():
    script = textwrap.dedent("""
        import runpy, sys
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *_: None if name == "kedro" else find(name, *_)
        runpy.run_module("hmdb_kedro", run_name="__main__")
    """)
    done = python(script)
    assert done.returncode == 1
    assert done.stderr == 'Kedro is not installed. Do: pip install "hmdb_kedro[train]"\n'


def test_without_a_file_of_logging_a_piped_line_is_one_line_too(tmp_path, monkeypatch):
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG", raising=False)
    script = textwrap.dedent("""
        import logging
        from hmdb_kedro.__main__ import main
        try:
            main(["--help"])
        except SystemExit:
            logging.getLogger("hmdb_kedro").info(" ".join(["word"] * 50))
    """)
    done = python(script, tmp_path)
    assert done.stdout.splitlines()[-1].count("word") == 50


@pytest.mark.slow
def test_nothing_is_reported_to_anyone():
    """Ask MLflow and kedro-telemetry themselves, after they were imported as a command does."""
    script = textwrap.dedent("""
        import os
        import socket
        from pathlib import Path
        def refuse(*arguments, **options):
            raise AssertionError(f"asked for {arguments}")
        socket.getaddrinfo = refuse
        for name in ("CI", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "KEDRO_DISABLE_TELEMETRY"):
            os.environ.pop(name, None)
        from kedro.framework.project import configure_project
        configure_project("hmdb_kedro")
        from kedro_telemetry.plugin import _check_for_telemetry_consent
        import mlflow.telemetry.client as client
        assert client.get_telemetry_client() is None
        import kedro_viz
        from kedro_viz.integrations.pypi import get_latest_version
        assert _check_for_telemetry_consent(Path.cwd()) is False
        assert str(get_latest_version()) == kedro_viz.__version__
    """)
    done = python(script)
    assert done.returncode == 0, done.stderr
    assert (PROJECT / ".telemetry").read_text(encoding="utf-8") == "consent: false\n"
