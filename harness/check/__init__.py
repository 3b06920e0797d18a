"""Named checks of a comparison, each answered with evidence."""
