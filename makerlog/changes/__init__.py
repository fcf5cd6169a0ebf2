"""What every process must hear of within a second: bans, revocations, switches. Told by PostgreSQL, needs nothing else."""
