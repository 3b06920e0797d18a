"""The complete configuration of a run, in sections owned by what reads them; its flat form has dotted keys.

What decides a run's numbers is all here, except its data source, seed and machine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from mainrun.data.settings import DataSettings
from mainrun.model.settings import ModelSettings
from mainrun.optim.optimizers import OPTIMIZERS, OptimizerSettings
from mainrun.optim.schedules import SCHEDULES, ScheduleSettings
from mainrun.record.errors import RequestError
from mainrun.rules import EPOCHS, EVALS_PER_EPOCH
from mainrun.settings import Count, NotNegative, Positive, Section, Value, find_hints, parse_value, unknown_name


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Section):
    """How long is trained, and in which steps. The defaults are the `baseline`'s."""

    section: ClassVar[str] = "training"
    batch_size: Count
    """Windows a training step, and windows a span of the frozen evaluation."""
    epochs: Count = EPOCHS
    """Passes over the training stream."""
    grad_clip: Positive = 1.0
    """Largest gradient norm over all parameters."""
    evals_per_epoch: Count = EVALS_PER_EPOCH
    """Frozen evaluations an epoch, beside those at the first and the last step."""
    order: Literal["fixed", "shuffled"] = "fixed"
    """Whether the titles are read in the order of the stream, or in another one every epoch."""
    rdrop: NotNegative = 0.0
    """Weight of the distance between two passes of different dropout (R-Drop); 0 makes one pass."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One section for each part that reads settings."""

    data: DataSettings
    model: ModelSettings
    optimizer: OptimizerSettings
    schedule: ScheduleSettings
    training: TrainingSettings

    def flatten(self) -> dict[str, Value]:
        """Every setting by its dotted key (`model.n_layer`), as records and plans store it."""
        return {key: value for field in fields(self) for key, value in getattr(self, field.name).flatten().items()}


_KINDS: dict[str, dict[str, type[Section]]] = {
    "data": {"": DataSettings},
    "model": {"": ModelSettings},
    "optimizer": dict(OPTIMIZERS),
    "schedule": dict(SCHEDULES),
    "training": {"": TrainingSettings},
}
"""Section → the kinds there are of it by name; the first is the default."""
_ALIASES = {"lr": "learning_rate"}


def build_config(values: Mapping[str, Value], settings: Mapping[str, str]) -> Config:
    """The configuration with `values` by dotted key where it is not the default, and `--set` texts on top of them.

    A setting may be named by its last part where that is unambiguous among what the chosen kinds read. One that
    chooses another kind takes that kind's defaults in place of `values`. Raises `RequestError` for an unknown key, a
    setting that no chosen kind reads, a value of the wrong type or out of range, and a setting given twice.
    """
    kinds, values = _choose_kinds(values, settings)
    hints = {f"{section}.{name}": hint for section, kind in kinds.items() for name, hint in find_hints(kind).items()}
    unread = [key for key in values if key not in hints]
    assert not unread, f"no part reads {unread}"
    texts: dict[str, str] = {}
    for given, text in settings.items():
        key = _find_key(given, hints, kinds)
        if key in texts:
            raise RequestError(f"The setting '{key}' is given twice: by its full name and by a short one.")
        texts[key] = text
    merged = {**values, **{key: parse_value(key, hints[key], text) for key, text in texts.items() if key in hints}}
    sections: dict[str, Any] = {
        section: kind(
            **{name: merged[f"{section}.{name}"] for name in find_hints(kind) if f"{section}.{name}" in merged}
        )
        for section, kind in kinds.items()
    }
    return Config(**sections)


def check_seed(seed: int) -> None:
    """Raises `RequestError` for a seed that the random generators do not take."""
    if not 0 <= seed < 2**63:
        raise RequestError(f"--seed and --seeds take whole numbers from 0 to 2^63 - 1, not {seed}.")


def find_changes(reference: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys in which two stored configurations differ, each with both values, None where a side lacks it."""
    keys = join_keys([reference, other])
    return {key: (reference.get(key), other.get(key)) for key in keys if reference.get(key) != other.get(key)}


def join_keys(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys of stored configurations: in their order, what only a later one has behind the rest of its section."""
    keys = list(dict.fromkeys(key for config in configs for key in config))
    sections = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    return sorted(keys, key=lambda key: sections.index(key.partition(".")[0]))


def shorten_key(key: str) -> str:
    """The name a setting has without its section: `n_layer` of `model.n_layer`, `optimizer` of `optimizer.name`."""
    return key.removesuffix(".name").rpartition(".")[2]


def is_same_setting(one: str, other: str) -> bool:
    """Whether two names mean one setting: by its key, by the last part of the key, or by an alias of that."""
    one, other = _ALIASES.get(one, one), _ALIASES.get(other, other)
    return one == other or (shorten_key(one) == shorten_key(other) and not ("." in one and "." in other))


def _choose_kinds(
    values: Mapping[str, Value], settings: Mapping[str, str]
) -> tuple[dict[str, type[Section]], dict[str, Value]]:
    """The kind of every section, and those of `values` that stay: none in a section whose kind `settings` change."""
    kinds, kept = {}, dict(values)
    for section, known in _KINDS.items():
        own = str(kept.pop(f"{section}.name", next(iter(known))))
        name = settings.get(f"{section}.name", settings.get(section, own)) if own else own
        if name not in known:
            raise unknown_name(section, name, known)
        if name != own:
            kept = {key: value for key, value in kept.items() if not key.startswith(f"{section}.")}
        kinds[section] = known[name]
    return kinds, kept


def _find_key(given: str, hints: Mapping[str, Any], kinds: Mapping[str, type[Section]]) -> str:
    """The full key of a setting that the user named."""
    known = [*(f"{section}.name" for section, kind in kinds.items() if kind.name is not None), *hints]
    short = _ALIASES.get(given, given)
    found = [key for key in known if given == key or short == shorten_key(key)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(f"The setting '{given}' could be any of {', '.join(found)}: give the full name.")
    readers = [
        (f"{section}.{name}", section, kind.name)
        for section, others in _KINDS.items()
        for kind in others.values()
        for name in find_hints(kind)
        if given == f"{section}.{name}" or short == name
    ]
    if readers:
        key, section = readers[0][:2]
        names = " and ".join(str(name) for _, _, name in readers)
        raise RequestError(f"The setting '{key}' is read by {names}; this recipe has {kinds[section].name}.")
    raise unknown_name("setting", given, known if "." in given else [shorten_key(key) for key in known])
