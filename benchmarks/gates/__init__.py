"""``make gates``: seeded defects that gates must refuse, and clean nights that they must pass."""
