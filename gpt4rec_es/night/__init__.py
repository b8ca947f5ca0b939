"""What runs every night: inputs, stages, publishing, inspection."""
