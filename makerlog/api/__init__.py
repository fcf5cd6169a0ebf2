"""What every endpoint shares: one module per job. Knows no model but its own."""
