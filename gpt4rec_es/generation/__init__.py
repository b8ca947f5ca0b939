"""Query generation: networks, tokenizers, training and decoding."""
