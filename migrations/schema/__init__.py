"""SQL of the revisions, as files."""
