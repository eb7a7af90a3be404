"""Translate from the command line.

python -m malaygpt "Good morning."
python -m malaygpt --file in.txt --out out.txt
cat in.txt | python -m malaygpt
"""

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from malaygpt.checkpoint import CheckpointError
from malaygpt.translator import Translator


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m malaygpt", description="English to Malay, one line out for each line in."
    )
    parser.add_argument("text", nargs="*", help="English to translate; without it, standard input")
    parser.add_argument("--file", type=Path, help="translate this file instead")
    parser.add_argument("--out", type=Path, help="write here instead of to standard output")
    parser.add_argument("--checkpoint", help="checkpoint directory or Hub repo; default the embedded one")
    options = parser.parse_args(arguments)
    if options.text and options.file:
        parser.error("give a text or --file, not both")
    paths = [path for path in (options.file, options.out) if path and path.exists()]
    if len(paths) == 2 and paths[0].samefile(paths[1]):
        parser.error("--out would overwrite --file while it is being read")
    try:
        with ExitStack() as stack:
            if options.text:
                lines = [" ".join(options.text)]
            elif options.file:
                lines = stack.enter_context(options.file.open(encoding="utf-8", newline="\n"))
            else:
                sys.stdin.reconfigure(encoding="utf-8", newline="\n")
                lines = sys.stdin
            translator = Translator.load(options.checkpoint)
            if options.out:
                out = stack.enter_context(options.out.open("w", encoding="utf-8", newline="\n"))
            else:
                out = sys.stdout
                out.reconfigure(encoding="utf-8", newline="\n")
            for malay in translator.translate_lines(line.rstrip("\n") for line in lines):
                print(malay, file=out, flush=out is sys.stdout)
    except BrokenPipeError:
        # Whoever read has enough, as `head` does. Nothing is left to flush when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CheckpointError, OSError) as error:
        print(f"malaygpt: {error}", file=sys.stderr)
        return 2
    except UnicodeDecodeError as error:
        print(f"malaygpt: the input is not UTF-8 ({error}); convert it first.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
