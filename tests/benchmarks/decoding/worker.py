"""The process of one engine: reads a request a line from standard input, answers each with a line of JSON.

    python -m tests.benchmarks.decoding.worker NAME CHECKPOINT EXPORTS THREADS IN_FLIGHT

OMP_NUM_THREADS must be set already, because libraries read it while they are imported. A request is the name of a
method of Engine and its arguments.
"""

import json
import os
import sys
from pathlib import Path
from typing import TextIO

import torch

from tests.benchmarks.decoding import machine


def answers() -> TextIO:
    """Standard output for answers alone: what a library prints goes to standard error."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stream


def main() -> None:
    memory_of_torch = machine.resident()
    from tests.benchmarks.decoding.contestants import Setting
    from tests.benchmarks.decoding.engine import Engine

    name, checkpoint, exports, threads, in_flight = sys.argv[1:]
    torch.set_num_threads(int(threads))
    out = answers()
    engine = Engine(name, Setting(Path(checkpoint), Path(exports), int(threads), int(in_flight)), memory_of_torch)
    print(json.dumps(engine.started()), file=out, flush=True)
    for line in sys.stdin:
        request, arguments = json.loads(line)
        print(json.dumps(getattr(engine, request)(**arguments)), file=out, flush=True)


if __name__ == "__main__":
    main()
