"""Offline work: train, split, evaluate, tune, replay; may import night, which never imports lab."""
