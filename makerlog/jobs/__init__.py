"""Work that no request waits for: jobs, kept in PostgreSQL, and the worker that runs them."""
