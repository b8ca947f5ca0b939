"""Tables, reads and writes in Postgres."""
