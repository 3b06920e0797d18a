"""What the tests of robustness try: the README's table is made from this, and the tests run over it."""

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
FAULTS = ("write", "flush", "rename")
FAULTY_FILES = {
    "plan.json": FAULTS,
    "run.json": FAULTS,
    "tokenizer.json": FAULTS,
    "title_losses.parquet": FAULTS,
    "metrics.parquet": FAULTS,
    "comparison.json": FAULTS,
    "PERFORMANCE_SUMMARY.md": FAULTS,
    "TRAINING_OPTIMIZATION_REPORT.md": FAULTS,
    "figures/*.svg": FAULTS,
    "report.pdf": FAULTS,
    "checkpoint/*.pt": FAULTS,
    "mainrun.log": ("write", "flush"),
    "logs/tensorboard": ("open", "write", "flush"),
    "latest": ("symlink", "rename"),
}
"""Every file the program writes, and the operations that are made to fail in turn."""
