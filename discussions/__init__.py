"""What makers talk about."""
