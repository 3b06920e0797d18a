"""What the tests of robustness try: the table of docs/robustness.md is made from this, and the tests run over it."""

DAMAGED_FILES = (
    "plan.json",
    "comparison.json",
    "metrics.parquet",
    "PERFORMANCE_SUMMARY.md",
    "runs/optimized-s1337/run.json",
    "runs/optimized-s1337/mainrun.log",
    "runs/optimized-s1337/title_losses.parquet",
    "runs/optimized-s1337/tokenizer.json",
)
DAMAGES = ("missing", "folder", "empty", "cut", "flip", "version", "field", "value")
"""The last three, another schema version and a field that is gone or of another value, of JSON files."""
NUM_DAMAGED = 50
"""Damaged comparisons, each given to report, verify and gate."""

HOSTILE_TITLES = (
    "a" * 100_000,
    "**bold** _it_ ~~no~~ `code` ```block```",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png) [l](http://evil.example)",
    '<img src="file:///etc/passwd"> file:///etc/passwd',
    "../../../owned",
    "a | b || c\n\n| c | d |\n|---|---|",
    "# head\n> quote\n- item",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell",
    "null \x00 byte",
    "\u202egnp.exe\u2066 \u200b\u200e direction",
    "\ud83d lone \udc00 surrogates",
    "{{ 7 * 7 }} {% raw %} ${HOME} $(id)",
    "]]> --> <!-- x &lt;b&gt; &amp;",
    "<eos><pad><unk>",
    "\N{PILE OF POO} \N{CJK UNIFIED IDEOGRAPH-4E2D} e\u0301 \U0010ffff",
    "=cmd|' /C calc'!A0",
    "",
    "   ",
)
"""Each stands twice among the titles of a real comparison."""
HOSTILE_NAMES = (
    "<img src=x>[l](h) `c` *b* \x1b[31m\u202e.jsonl",
    "../../x",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "\udcff",
    "x" * 5_000,
)
"""Given as recipe, preset, data file, setting, value and arm; the first one names the file of a real comparison."""
NAMES_THAT_LEAD_OUTSIDE = ("../../x", "a/../../../x", "/x", "..", "x\\y", "x\0y", "", "x" * 300, 3, None)
LINKS_THAT_LEAD_OUTSIDE = (
    "figures",
    "logs",
    "metrics.parquet",
    "report.pdf",
    "runs/optimized-s1337",
    "runs/optimized-s1337/mainrun.log",
)
FAULTS = ("write", "flush", "rename")
FAULTY_FILES = {
    "plan.json": FAULTS,
    "run.json": FAULTS,
    "tokenizer.json": FAULTS,
    "title_losses.parquet": FAULTS,
    "metrics.parquet": FAULTS,
    "findings.json": FAULTS,
    "changes.patch": FAULTS,
    "comparison.json": FAULTS,
    "PERFORMANCE_SUMMARY.md": FAULTS,
    "TRAINING_OPTIMIZATION_REPORT.md": FAULTS,
    "figures/*.svg": FAULTS,
    "report.pdf": FAULTS,
    "checkpoint/*.pt": FAULTS,
    "mainrun.log": ("write", "flush"),
    "logs/tensorboard": ("open", "write", "flush"),
    "latest": ("symlink", "rename"),
    "logs/errors": FAULTS,
    "a run that is taken over": ("copy", "rename"),
    "what comes back from a cluster": FAULTS,
    "source.log": FAULTS,
    "output.log": ("open",),
}
"""Every file the program writes, and the operations that are made to fail in turn."""


def build_rows() -> list[tuple[str, str, str]]:
    """What was tried, how often, and what came of it: the rows of the table of docs/robustness.md."""
    num_faults = sum(map(len, FAULTY_FILES.values()))
    return [
        ("a training killed by SIGKILL at a random moment, and resumed", "5 in `make test`, more by `--kills N`",
         "final weights, losses by title and every measurement the same, bit for bit"),
        ("a full disk: write, flush and rename in turn", f"{num_faults} in {len(FAULTY_FILES)} kinds of files",
         "exit 6; what was there is kept; `--resume` or `report` goes on to the same numbers"),
        ("damage: " + ", ".join(DAMAGES), f"{NUM_DAMAGED} drawn over {len(DAMAGED_FILES)} files, 3 verbs each",
         "exit 4 with the file, or made again from the journals; no number changed, no traceback"),
        ("hostile titles in a real comparison", str(len(HOSTILE_TITLES)),
         "no title in any report, no live markup, no connection, nothing written outside"),
        ("hostile names as recipe, preset, file, setting, value, arm", str(len(HOSTILE_NAMES)),
         "exit 2, shown as text"),
        ("names in a stored plan that lead outside; links in a comparison",
         f"{len(NAMES_THAT_LEAD_OUTSIDE)}; {len(LINKS_THAT_LEAD_OUTSIDE)}",
         "exit 4, nothing outside read or written"),
    ]  # fmt: skip


def format_table() -> str:
    """That table in Markdown."""
    lines = ["| tried | how often | what happens |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in build_rows())])
