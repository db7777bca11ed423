"""What a reader of the report sees: the figures, and the faults that would make them worthless."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from clips import REPOSITORY
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from params import make
from score_tables import (
    CLASSES,
    COST,
    PROTOCOL,
    REPORTS,
    FilmStock,
    Kept,
    ablations_of,
    index_of,
    motion_of,
)
from score_tables import scores_of as weak_scores_of

from hmdb_kedro import cli
from hmdb_kedro.params import MODELS
from hmdb_kedro.pipelines.data_prep.leaks import find_leaks
from hmdb_kedro.pipelines.fusion_eval import create_pipeline
from hmdb_kedro.pipelines.fusion_eval.checking import check_evaluation
from hmdb_kedro.pipelines.fusion_eval.gathering import gather_scores
from hmdb_kedro.pipelines.fusion_eval.hardest import show_hardest_clips
from hmdb_kedro.pipelines.fusion_eval.pipeline import ABLATED

pytestmark = pytest.mark.slow


def models_of():
    return {model: weak_scores_of(seed, strength=2.5) for seed, model in enumerate(MODELS)}


def index_for_leaks(scores):
    index = index_of(scores)
    is_test = index["partition"] == "test"
    return index.assign(
        status="ok", split1=np.where(is_test, 2, 1), content_hash=index["clip_id"].to_list()
    )


def with_leaks(index):
    """What data_prep reports of an index, when `data_prep.on_leak: warn` lets it go on."""
    return REPORTS["data_prep_report"] | {"leaks": find_leaks(index, 1).summary()}


def written(models, index, **changes):
    """Run the pipeline in memory; return what it wrote, and what it wrote that from, by name."""
    entries = {f"{model}.scores": scores for model, scores in models.items()}
    entries |= {f"{model}.cost": COST for model in MODELS}
    entries |= {f"{model}.protocol": PROTOCOL for model in MODELS}
    entries |= {f"{model}.ablation_scores": ablations_of(models[model]) for model in ABLATED}
    entries |= REPORTS | {
        "data_prep_report": with_leaks(index),
        "frames_if_any": FilmStock(index["clip_id"]),
        "protocol_runs": [],
        "clip_index": index,
        "motion_by_clip": motion_of(index),
        "external_scores": {},
        "params:two_stream": make("two_stream", draws=1000),
        "params:data_prep": make("data_prep"),
        "params:seed": 1,
    }
    catalog = DataCatalog({name: Kept(data) for name, data in (entries | changes).items()})
    pipeline = create_pipeline()
    for name in pipeline.all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(pipeline, catalog)
    node = pipeline.only_nodes("write_report")
    return {name: catalog.load(name) for name in node.inputs() | node.outputs()}


@pytest.fixture(scope="module")
def sound():
    models = models_of()
    return written(models, index_for_leaks(models["spatial"]))


class Page(HTMLParser):
    """Collects what a page would fetch, its text, and which tags are open at its end."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "line", "circle", "rect"})

    def __init__(self, page):
        super().__init__()
        self.fetched, self.open, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.fetched += [named[key] for key in ("src", "srcset", "data") if key in named]
        self.fetched += [named["href"]] if tag == "link" else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


class TestPage:
    def test_it_is_whole_and_fetches_nothing(self, sound):
        page = Page(sound["report"])
        assert page.open == []
        assert page.fetched
        assert all(source.startswith("data:image/jpeg;base64,") for source in page.fetched)
        assert "default-src 'none'" in sound["report"]
        assert "@import" not in sound["report"].split("</style>")[0]

    def test_it_has_every_section_and_figure(self, sound):
        report = sound["report"]
        linked = re.findall(r'<a href="#(\w+)"', report)
        assert {"data", "protocol", "results", "contribution", "comparison", "limits"} <= set(
            linked
        )
        assert all(f'id="{name}"' in report for name in linked)
        drawn = re.findall(r'data-figure="(\w+)"', report)
        assert len(drawn) == 7
        data = report.split('id="figures">')[1].split("</script>")[0]
        assert all(f'"{name}": {{' in data for name in drawn)

    def test_published_figures_are_marked_and_not_compared_with_another_set(self, sound):
        words = Page(sound["report"]).words
        assert "Published by others on HMDB51, not measured here" in words
        assert "cannot be compared with the figures above" in words

    def test_of_hmdb51_it_says_so_and_whose_the_clips_are(self):
        models = models_of()
        index = index_for_leaks(models["spatial"])
        report = with_leaks(index) | {"expected": {"missing": {}}}
        found = written(models, index, data_prep_report=report)
        assert "on HMDB51" in Page(found["report"]).words
        assert "CC BY 4.0" in found["model_card"]
        assert "cannot be compared" not in found["report"]

    def test_a_class_of_any_name_stays_text(self):
        name = "</script><script>alert(1)</script>"
        models = {
            model: scores.rename(columns={"class a": name}).replace({"label": {"class a": name}})
            for model, scores in models_of().items()
        }
        index = index_for_leaks(models["spatial"])
        ablated = ablations_of(models_of()["temporal"]).rename(columns={"class a": name})
        ablated["label"] = ablated["label"].replace("class a", name)
        found = written(models, index, **{"temporal.ablation_scores": ablated})
        assert "alert(1)</script>" not in found["report"]
        assert Page(found["report"]).open == []

    def test_without_validation_it_says_what_could_not_be_compared(self):
        models = {m: scores[scores["partition"] == "test"] for m, scores in models_of().items()}
        found = written(models, index_for_leaks(models["spatial"]))
        assert "two_stream against its best stream: left out" in Page(found["report"]).words


class TestFaults:
    def test_a_sound_run_has_none(self, sound):
        assert sound["evaluation_checks"]["faults"] == []
        assert "No fault found" in Page(sound["report"]).words
        assert "Do not trust" not in sound["report"] + sound["model_card"]

    def test_films_of_test_clips_in_train_are_seen_in_the_report(self):
        models = models_of()
        index = index_for_leaks(models["spatial"])
        is_train = index["partition"] == "train"
        index["source_video"] = index["source_video"].str.removeprefix("train ")
        assert is_train.any()
        found = written(models, index)
        for text in (Page(found["report"]).words, found["model_card"]):
            assert "Do not trust these figures" in text
            assert "The split leaks: 60 recording(s) of one class in training and in test" in text

    def test_shuffled_labels_are_seen_in_the_report(self):
        models = models_of()
        order = np.random.default_rng(5).permutation(len(models["spatial"]))
        shuffled = models["spatial"]["label"].to_numpy()[order]
        models = {model: scores.assign(label=shuffled) for model, scores in models.items()}
        found = written(models, index_for_leaks(models["spatial"]))
        assert not found["evaluation_checks"]["shuffled_labels"]["two_stream"]["is_above"]
        for text in (Page(found["report"]).words, found["model_card"]):
            assert "Do not trust these figures" in text
            assert "two_stream is right on" in text
            assert "no better than with shuffled labels" in text
        assert "No fault found" not in found["report"]

    def test_too_few_sources_to_tell_are_no_fault_and_said(self):
        models = models_of()
        models = {m: scores[scores["label"].isin(CLASSES[:2])] for m, scores in models.items()}
        index = index_for_leaks(models["spatial"])
        is_test = index["partition"] == "test"
        index.loc[is_test, "source_video"] = "film of " + index.loc[is_test, "label"]
        found = written(models, index)
        words = Page(found["report"]).words
        assert "too few sources to tell the fusion from shuffled labels" in words
        assert "Do not trust" not in words
        assert "too few sources to tell any model" in found["model_card"]

    def test_a_stream_alone_may_be_no_better_than_chance(self):
        models = models_of()
        models["two_stream"] = models.pop("cnn3d_v1")
        models["temporal"] = weak_scores_of(9, strength=0.0)
        index = index_for_leaks(models["spatial"])
        stack, _ = gather_scores(index, {}, **models)
        found = check_evaluation(stack, index, with_leaks(index), 1)
        assert not found["shuffled_labels"]["temporal"]["is_above"]
        assert found["faults"] == []

    def test_clips_that_the_index_has_elsewhere_or_by_another_name_are_seen(self, caplog):
        models = models_of()
        index = index_for_leaks(models["spatial"])
        models["two_stream"] = models.pop("temporal")
        stack, _ = gather_scores(index, {}, **models)
        first, second = models["spatial"]["clip_id"].iloc[-2:]
        index.loc[index["clip_id"] == first, "partition"] = "train"
        index.loc[index["clip_id"] == second, "label"] = "class a"
        found = check_evaluation(stack, index, with_leaks(index), 1)
        assert found["not_test_clips"] == [first]
        assert found["other_labels"] == [second]
        assert len(found["faults"]) == 2
        assert f"not in the test part of clip_index ({first})" in caplog.text


class TestHardestClips:
    def test_the_least_probable_clips_come_first_with_their_frames(self):
        models = models_of()
        models["two_stream"] = models.pop("temporal")
        index = index_for_leaks(models["spatial"])
        stack, _ = gather_scores(index, {}, **models)
        test = models["two_stream"][models["two_stream"]["partition"] == "test"]
        p_labels = {row["clip_id"]: row[row["label"]] for row in test.to_dict("records")}
        hardest = sorted(p_labels, key=p_labels.__getitem__)
        found, sheet = show_hardest_clips(FilmStock(set(p_labels) - {hardest[0]}), stack)
        assert [row["clip_id"] for row in found] == hardest[1:13]
        for row in found:
            assert row["log_loss"] == pytest.approx(-np.log(p_labels[row["clip_id"]]))
            assert row["p_predicted"] >= row["p_label"]
            assert row["picture"].startswith("data:image/jpeg;base64,")
        told = {row["clip_id"]: (row["label"], row["predicted"]) for row in found}
        assert any(label != predicted for label, predicted in told.values())
        for (label, predicted), title in zip(told.values(), sheet.data[1].text, strict=True):
            wrong = f"{label}, taken for {predicted}"
            assert title == (wrong if label != predicted else f"{label}, and found so")
        assert found[0]["clip_id"] in sheet.data[2].text[0]

    def test_without_frames_it_says_so(self):
        models = models_of()
        models["two_stream"] = models.pop("temporal")
        stack, _ = gather_scores(index_for_leaks(models["spatial"]), {}, **models)
        for frames in (FilmStock([]), None):
            found, sheet = show_hardest_clips(frames, stack)
            assert found == []
            assert sheet.layout.annotations[0].text == "No clip has frames here."


class TestCommand:
    @pytest.fixture
    def catalog(self, monkeypatch, tmp_path):
        """The catalog of the sample set, below a folder of the test's own."""
        bootstrap_project(REPOSITORY)
        loader = settings.CONFIG_LOADER_CLASS(
            str(REPOSITORY / "conf"),
            env="sample",
            runtime_params={"data_root": str(tmp_path)},
            **settings.CONFIG_LOADER_ARGS,
        )
        catalog = DataCatalog.from_config(loader["catalog"])
        monkeypatch.setattr(
            cli.results, "open_context", lambda *_: SimpleNamespace(catalog=catalog)
        )
        return catalog

    def test_it_writes_the_page_anew_and_says_where(self, sound, catalog, tmp_path):
        for name, entry in sound.items():
            if name not in ("report", "model_card"):
                catalog.save(name, entry)
        result = CliRunner().invoke(cli.hmdb, ["report", "--env", "sample"])
        assert result.exit_code == 0, result.output
        paths = dict(line.split(": ", 1) for line in result.stdout.splitlines())
        assert Path(paths["report"]).is_relative_to(tmp_path / "08_reporting" / "split1")
        assert Path(paths["report"]).suffix == ".html"
        words = Page(Path(paths["report"]).read_text(encoding="utf-8")).words
        assert words == Page(sound["report"]).words
        assert Path(paths["model_card"]).read_text(encoding="utf-8") == sound["model_card"]

    def test_before_a_run_it_says_what_to_do(self, catalog):
        result = CliRunner().invoke(cli.hmdb, ["report", "--env", "sample"])
        assert result.exit_code == 1
        assert "needs the results of a finished run" in result.stderr
        assert "Do: kedro run --env sample" in result.stderr
