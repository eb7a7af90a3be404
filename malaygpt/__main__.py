"""Translate from the command line.

python -m malaygpt "Good morning."
python -m malaygpt --file in.txt --out out.txt    (of any size; stopped, the same command goes on)
cat in.txt | python -m malaygpt
"""

import argparse
import io
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from malaygpt.checkpoint import CheckpointError
from malaygpt.files import ResumeError, fingerprint, open_whole, translate_file, translate_stream
from malaygpt.hub import find_checkpoint
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
        run(options)
    except BrokenPipeError:
        # Whoever read has enough, as `head` does. Nothing is left to flush when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CheckpointError, ResumeError, OSError) as error:
        print(f"malaygpt: {error}", file=sys.stderr)
        return 2
    except UnicodeDecodeError as error:
        print(f"malaygpt: the input is not UTF-8 ({error}); convert it first.", file=sys.stderr)
        return 2
    return 0


def run(options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        if options.text:
            source = io.StringIO(" ".join(options.text).rstrip("\n") + "\n", newline="\n")
        elif options.file:
            source = stack.enter_context(options.file.open(encoding="utf-8", newline="\n"))
        else:
            source = sys.stdin
            source.reconfigure(encoding="utf-8", newline="\n")
        checkpoint = find_checkpoint(options.checkpoint)
        translator = Translator.load(checkpoint)
        if can_resume(options):
            size = options.file.stat().st_size
            # On a terminal only, and to standard error
            bar = stack.enter_context(tqdm(total=size, unit="B", unit_scale=True, disable=None))
            translate_file(translator, fingerprint(checkpoint), options.file, options.out, bar.update)
            return
        if options.out:
            out = stack.enter_context(open_whole(options.out))
        else:
            out = sys.stdout
            out.reconfigure(encoding="utf-8", newline="\n")
        translate_stream(translator, source, out)


def can_resume(options: argparse.Namespace) -> bool:
    """Whether both ends are files, of which one can be read again and the other be written on."""
    return bool(
        options.file and options.file.is_file() and options.out and (options.out.is_file() or not options.out.exists())
    )


if __name__ == "__main__":
    sys.exit(main())
