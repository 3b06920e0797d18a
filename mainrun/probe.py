"""Measures with a run's kept weights again, and whether its model looks at what comes later.

`python -m mainrun.probe --weights FILE …` with the options of the training program; writes `probe.json` to `--out`.
"""

import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from mainrun.data.streams import prepare_data
from mainrun.devices import choose_device, choose_precision, choose_products
from mainrun.metric.full_loss import compute_full_loss, sum_by_title
from mainrun.provenance import compute_weights_sha256
from mainrun.recipes import build_named_config
from mainrun.record.console import run_program
from mainrun.record.errors import EXIT_DONE, ProgramError, StoredResultsError, summarize_error
from mainrun.record.files import make_folder, save_json
from mainrun.record.run_record import RunRequest
from mainrun.record.tensors import load_tensors
from mainrun.step import TrainingState
from mainrun.train import build_parser, build_request, say_error

FILE_NAME = "probe.json"
SCHEMA_VERSION = 1
NUM_PLACES = 8
"""Places of a window at which a later token is changed."""


def main(arguments: list[str] | None = None) -> int:
    """Probes one run; returns the exit code."""
    parser = build_parser("mainrun.probe", "Measures with a run's kept weights again, and writes probe.json.")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="kept weights of the run")
    given = parser.parse_args(arguments)
    request = build_request(given)
    try:
        make_folder(request.out)
        save_json(request.out / FILE_NAME, {"schema_version": SCHEMA_VERSION, **probe(request, given.weights)})
    except ProgramError as error:
        say_error(error)
        return error.exit_code
    return EXIT_DONE


def probe(request: RunRequest, weights: Path) -> dict[str, Any]:
    """SHA-256 of the weights, the full loss of every validation title with them, and how far a loss moved.

    `moved_nats` is the most by which the loss of a token changed when a token after it, or another row of the batch,
    was changed. Raises `StoredResultsError` where the weights are not those of the model that was asked for.
    """
    config = build_named_config(request.recipe, request.preset, request.settings)
    device = choose_device(request.device)
    choose_products(device)
    data = prepare_data(config, request.source)
    streams = data.streams
    precision = choose_precision(request.precision, device)
    state = TrainingState.build(config, streams.tokenizer.vocab_size, request.seed, device, precision)
    try:
        state.model.load_state_dict(load_tensors(weights, device))
    except (ValueError, RuntimeError) as error:  # the latter where names or shapes are not the model's
        reason = summarize_error(error)
        raise StoredResultsError(f"{weights.name} does not hold the weights of this model: {reason}") from None
    ids = torch.from_numpy(streams.validation_ids).long().to(device)
    with state.autocast():
        full = compute_full_loss(state.model, ids, block_size=config.model.block_size, num_chars=data.num_chars)
        moved = measure_moved_nats(state.model, ids, config.model.block_size)
    return {
        "weights_sha256": compute_weights_sha256(state.model),
        "title_loss_nats": sum_by_title(full, streams.title_num_tokens).tolist(),
        "moved_nats": moved,
    }


@torch.no_grad()
def measure_moved_nats(model: torch.nn.Module, ids: torch.Tensor, block_size: int) -> float:
    """The most that the loss of a token moves when the model is shown other tokens after it, or in another row.

    Raises `StoredResultsError` where a loss is not finite.
    """
    model.eval()
    block_size = min(block_size, (len(ids) - 1) // 2)
    rows = ids[: 2 * block_size].view(2, block_size)
    targets = ids[1 : 2 * block_size + 1].view(2, block_size)
    before, moved = _compute_losses(model, rows, targets), [0.0]
    for place in range(1, block_size, max(1, block_size // NUM_PLACES)):
        changed = rows.clone()
        changed[0, place:] = changed[0, place:].roll(1)
        changed[1] = changed[1].flip(0)
        moved.append(float((_compute_losses(model, changed, targets) - before)[0, :place].abs().max()))
    if not all(map(math.isfinite, moved)):
        raise StoredResultsError("The weights give losses that are not finite.")
    return max(moved)


def _compute_losses(model: torch.nn.Module, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = model(ids).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


if __name__ == "__main__":
    sys.exit(run_program(main))
