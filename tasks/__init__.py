"""What makers finish: the heart of the log."""
