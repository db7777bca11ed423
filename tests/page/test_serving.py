"""What the page asks of a run."""

import pytest
from kedro.io import DataCatalog, MemoryDataset
from recognising import FUSION

from hmdb_kedro.errors import UserError
from hmdb_kedro.page.serving import serve

ENTRIES = {
    "two_stream.fusion": FUSION,
    "two_stream.scores": "a table",
    "clip_index": "a table",
    "spatial.onnx": "a file",
    "spatial.scores": "a table",
    "temporal.onnx": "a file",
    "temporal.scores": "a table",
}


class Missing(MemoryDataset):
    """An entry that no run has made yet."""

    def __init__(self):
        super().__init__()

    def _exists(self):
        return False


@pytest.mark.parametrize("missing", ENTRIES)
def test_with_nothing_trained_one_line_says_what_to_do(missing):
    stored = {name: MemoryDataset(data) for name, data in ENTRIES.items() if name != missing}
    catalog = DataCatalog(stored | {missing: Missing()})
    with pytest.raises(UserError) as refused:
        serve(catalog, None, "make run", print)
    assert str(refused.value).endswith(f"no {missing}. Do: make run")
