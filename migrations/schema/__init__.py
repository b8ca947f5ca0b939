"""SQL files of the revisions."""
