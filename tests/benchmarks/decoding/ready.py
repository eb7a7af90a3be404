"""A fresh process that loads a checkpoint and translates a sentence, as a user's would, and says what that took.

python -m tests.benchmarks.decoding.ready CHECKPOINT
"""

import json
import sys
import time

from tests.benchmarks.decoding import machine


def main() -> None:
    memory_of_torch = machine.resident()
    from malaygpt.translator import Translator

    machine.forget_peak()
    began = time.perf_counter()
    translator = Translator.load(sys.argv[1])
    loaded = time.perf_counter() - began
    translator.translate("Good morning.")
    ready = time.perf_counter() - began
    print(json.dumps({"loaded": loaded, "ready": ready, "memory": machine.peak() - memory_of_torch}))


if __name__ == "__main__":
    main()
