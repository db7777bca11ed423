"""The graph of the pipelines as files: whole, without another host, and open in a browser."""

import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from browsing import new_page
from clips import REPOSITORY

pytestmark = pytest.mark.extended

# Documents: opened in a browser of their own, not in the graph.
WHOLE_PAGES = {"report", "model_card"}
FEW = 10_000  # of 1.6 million pixels


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def site(sample_run, tmp_path_factory):
    """Build the graph over the sample run's data, as `make site` does; return the folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "hmdb_kedro.graph", "build", str(folder)]
    command += ["--env", "sample", "--params", f"data_root={sample_run.root}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def address(site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def page(browser, address):
    """A page that asks no other host."""
    with new_page(browser, address, viewport={"width": 1600, "height": 1000}) as page:
        yield page


def test_every_entry_that_people_want_to_see_has_a_preview(site):
    nodes = json.loads((site / "api/main").read_text(encoding="utf-8"))["nodes"]
    by_name = {node["name"]: node for node in nodes if node["type"] == "data"}
    shown = {
        name: json.loads((site / "api/nodes" / node["id"]).read_text(encoding="utf-8"))
        for name, node in by_name.items()
        if node["layer"] == "reporting" and name not in WHOLE_PAGES
    }
    assert {name for name, entry in shown.items() if not entry.get("preview")} == set()
    assert {"temporal.curves", "flow_sheet", "frames_sheet", "metrics"} <= set(shown)
    assert all(node["layer"] for node in by_name.values())


def test_a_namespace_opens_and_a_preview_is_drawn(page, address, tmp_path):
    page.goto(address)
    page.wait_for_selector(".pipeline-node")
    inside = page.locator(".pipeline-node", has_text="temporal.model")
    assert inside.count() == 0
    page.locator("[role=treeitem][id$='-temporal'] .MuiTreeItem-iconContainer").first.click()
    inside.first.wait_for(state="attached")
    page.goto(f"{address}/?pid=__default__&sn=confusion_matrices")
    page.locator(".pipeline-metadata__link", has_text="Expand preview").click()
    page.wait_for_selector(".pipeline-metadata-modal .main-svg .heatmaplayer image")
    picture = tmp_path / "preview.png"
    page.screenshot(path=picture)
    assert n_blues(picture) > FEW


def n_blues(picture):
    """Return how many pixels have one of the blues in which a matrix is drawn."""
    blue, green, red = cv2.split(cv2.imread(str(picture)).astype(int))
    return int(np.sum((blue > red + 60) & (green < blue)))
