"""Measurements of an imported run: what its log gives, and nothing that would have to be guessed."""

from collections.abc import Iterator
from typing import Any

from harness.sources.lines import MAX_STEPS
from harness.store.facts import LogFacts, read_facts
from harness.store.runs import StoredRun

MAX_TOKENS_PER_STEP = (2**63 - 1) // MAX_STEPS
"""Times the largest number of steps it still is a 64-bit number."""


def measure_foreign(run: StoredRun) -> Iterator[dict[str, Any]]:
    """The known cells of every row, in the journal's order; a cell that is not here is null.

    Wall time is no training time, and a foreign training loss may hold other terms: neither `elapsed_s` nor a
    perplexity is made from them.
    """
    facts = read_facts(run.events)
    tokens_per_step = find_tokens_per_step(facts)
    for event in run.events:
        if event["event"] not in ("training_step", "validation_step"):
            continue
        step = event["step"]
        row = {
            "arm": run.arm,
            "seed": run.seed,
            "step": step,
            "max_steps": event["max_steps"],
            "epoch": step / facts.steps_per_epoch if facts.steps_per_epoch else None,
            "tokens_seen": step * tokens_per_step if tokens_per_step else None,
            "elapsed_s": event["train_elapsed_s"],
        }
        if event["event"] == "training_step":
            row |= {
                "split": "train",
                "loss_nats_per_token": event["loss"],
                "learning_rate": event["learning_rate"],
                "grad_norm": event["grad_norm"],
            }
        else:
            unit = "loss_nats_per_token" if event.get("loss_unit") == "nats_per_token" else "loss_nats_per_char"
            row |= {
                "split": "validation",
                unit: event["loss"],
                "full_loss_nats_per_char": event["full_loss_nats_per_char"],
            }
        yield row


def find_tokens_per_step(facts: LogFacts) -> int | None:
    """Tokens a step trains on, where block × batch agrees with the steps and tokens of an epoch; else None."""
    if facts.block_size is None or facts.training_batch_size is None:
        return None
    tokens = facts.block_size * facts.training_batch_size
    if tokens > MAX_TOKENS_PER_STEP:
        return None
    if facts.num_train_tokens is None or facts.steps_per_epoch is None:
        return tokens
    return tokens if abs(facts.num_train_tokens / tokens - facts.steps_per_epoch) < 1.5 else None
