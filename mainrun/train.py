"""Command line of the training program: `python -m mainrun.train --recipe R --preset P --data D --seed S --out DIR`."""

import argparse
import signal
import sys
import traceback
from pathlib import Path

from mainrun.config import check_seed
from mainrun.data.corpus import CorpusSource
from mainrun.data.settings import TITLE_COLUMN
from mainrun.devices import DEVICES, PRECISIONS
from mainrun.recipes import PRESETS, RECIPES, get_preset
from mainrun.record.console import run_program
from mainrun.record.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, ProgramError, RequestError, RunError
from mainrun.record.files import check_temporary_folder, find_machine_fault
from mainrun.record.inert import make_inert
from mainrun.record.run_record import CHECKPOINT_EVERY_S, RunRequest, mark_failed
from mainrun.rules import SEED

OUT_OF_MEMORY = "the process ran out of memory; a smaller batch_size or preset needs less"


def main(arguments: list[str] | None = None) -> int:
    """Trains one run; returns the exit code. Progress and errors go to stderr, the run's folder to stdout."""
    request = parse_request(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_temporary_folder()
        from mainrun.run import train  # imports torch, which --help need not wait for

        for progress in train(request):
            loss = f"{progress.evaluation.loss_nats_per_char:.4f} nats/char"
            full = f", full {progress.full_loss.loss_nats_per_char:.4f}" if progress.full_loss else ""
            print(f"step {progress.step}/{progress.max_steps}: frozen {loss}{full}", file=sys.stderr, flush=True)
    except ProgramError as error:
        say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: go on with --resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if fault := find_machine_fault(error):
            say_error(fault)
            return fault.exit_code
        traceback.print_exc()
        if not _is_out_of_memory(error):
            return EXIT_BUG
        say_error(OUT_OF_MEMORY)
        mark_failed(request.out, OUT_OF_MEMORY)
        return RunError.exit_code
    print(make_inert(str(request.out)))
    return EXIT_DONE


def parse_request(arguments: list[str] | None = None) -> RunRequest:
    """The run that the command line asks for; exits with 2 where it is no valid command line."""
    description = "Trains one recipe once and writes its journal, tokenizer, losses by title and run.json."
    return build_request(build_parser("mainrun.train", description).parse_args(arguments))


def build_parser(module: str, description: str) -> argparse.ArgumentParser:
    """The command line of a module that is told of one run, for it to add its own options to."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description, allow_abbrev=False)
    parser.add_argument("--recipe", required=True, help=f"one of: {', '.join(RECIPES)}")
    parser.add_argument("--preset", default="quick", help=f"one of: {', '.join(PRESETS)} (default: %(default)s)")
    parser.add_argument("--data", help="synthetic, hub, or a local parquet, CSV, JSON-lines or text file "
                        "(default: the preset's)")  # fmt: skip
    parser.add_argument("--data-revision", help="revision of the hub's dataset")
    parser.add_argument("--title-column", default=TITLE_COLUMN, help="column of a local file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of initialization and dropout (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto",
                        help="of the products; auto is bfloat16 on a GPU that has it, else float32")  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="continue from the folder's checkpoint")
    parser.add_argument("--stop-after", type=int, metavar="N", help="end unfinished after step N")
    parser.add_argument("--checkpoint-every-s", type=float, default=CHECKPOINT_EVERY_S, metavar="SECONDS",
                        help="shortest time between checkpoints (default: %(default)s)")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
                        help="change one setting of the recipe; may be repeated")  # fmt: skip
    parser.add_argument("--arm", help="name of the run's side in a comparison (default: the recipe's)")
    parser.add_argument("--keep-weights", action="store_true", help="store the final weights too")
    parser.add_argument("--keep-checkpoints", action="store_true", help="keep every checkpoint, also after the run")
    parser.add_argument("--plan-sha256", help=argparse.SUPPRESS)
    parser.add_argument("--code-commit", help=argparse.SUPPRESS)
    parser.add_argument("--code-tree", help=argparse.SUPPRESS)
    parser.add_argument("--beside", type=Path, help=argparse.SUPPRESS)
    return parser


def build_request(given: argparse.Namespace) -> RunRequest:
    """The run of parsed options; exits with 2 where one has no valid value."""
    try:
        data = given.data or get_preset(given.preset).data
        settings = parse_settings(given.settings)
        check_seed(given.seed)
        if given.stop_after is not None and given.stop_after < 0:
            raise RequestError(f"--stop-after takes a step from 0 on, not {given.stop_after}.")
    except RequestError as error:
        say_error(error)
        raise SystemExit(error.exit_code) from None
    return RunRequest(
        recipe=given.recipe,
        preset=given.preset,
        source=CorpusSource(data, given.data_revision, given.title_column),
        seed=given.seed,
        out=given.out,
        arm=given.arm or given.recipe,
        settings=settings,
        device=given.device,
        precision=given.precision,
        resume=given.resume,
        stop_after=given.stop_after,
        checkpoint_every_s=given.checkpoint_every_s,
        plan_sha256=given.plan_sha256,
        commit=given.code_commit,
        tree=given.code_tree,
        beside=given.beside,
        keep_weights=given.keep_weights,
        keep_checkpoints=given.keep_checkpoints,
    )


def parse_settings(texts: list[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a dict; `RequestError` where one has no `=` or repeats a key."""
    settings: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RequestError(f"--set takes KEY=VALUE, not '{text}'.")
        if key in settings:
            raise RequestError(f"--set names '{key}' twice.")
        settings[key] = value
    return settings


def say_error(error: ProgramError | str) -> None:
    """Prints an error to stderr, with nothing in it that a terminal obeys."""
    text = make_inert(str(error), keep="\n")
    print(f"error: {text}", file=sys.stderr)


def _is_out_of_memory(error: Exception) -> bool:
    """By the text too, because only some of torch's are of a type of their own."""
    texts = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, MemoryError) or any(text in str(error) for text in texts)


if __name__ == "__main__":
    sys.exit(run_program(main))
