"""Query generation: prompts, beam search, the registry of generators."""
