"""From `comparison.json` to Markdown, HTML, figures and PDF."""
