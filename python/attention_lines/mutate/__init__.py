"""Small edits of a person's statement, evaluated where it runs: which of them makes it right."""
