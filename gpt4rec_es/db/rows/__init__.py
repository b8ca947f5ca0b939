"""SQL statements of the program, one module per subject."""
