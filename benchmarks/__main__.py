"""Run benchmarks: `python -m benchmarks [NAME …]`; without a name, all of them."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accelerator import BENCHMARKS as ACCELERATOR
from benchmarks.evaluation import BENCHMARKS as EVALUATION
from benchmarks.extraction import BENCHMARKS as EXTRACTION
from benchmarks.inference import BENCHMARKS as INFERENCE
from benchmarks.measure import Benchmark, Measurement, keep, show
from benchmarks.serving import BENCHMARKS as SERVING
from benchmarks.startup import BENCHMARKS as STARTUP
from benchmarks.training import BENCHMARKS as TRAINING

RESULTS = Path("data/08_reporting/benchmarks")


def frozen_epoch_speedup(folder: Path) -> Iterator[Measurement]:
    """See `benchmarks.transfer`, imported here alone because it brings Keras."""
    from benchmarks import transfer  # noqa: PLC0415

    yield from transfer.frozen_epoch_speedup(folder)


BENCHMARKS: dict[str, Benchmark] = {
    **ACCELERATOR,
    **EVALUATION,
    **EXTRACTION,
    **INFERENCE,
    **SERVING,
    **STARTUP,
    **TRAINING,
    "frozen_epoch_speedup": frozen_epoch_speedup,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, print and keep their figures; 1 where a bound is not held."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        known = ", ".join(BENCHMARKS)
        sys.exit(f"No such benchmark. Received: {', '.join(unknown)}. Known: {known}.")
    found = []
    for name in names or BENCHMARKS:
        with tempfile.TemporaryDirectory() as folder:
            measured = list(BENCHMARKS[name](Path(folder)))
        keep(measured, RESULTS / f"{name}.json")
        found += measured
    show(found)
    return 0 if all(measurement.is_held for measurement in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
