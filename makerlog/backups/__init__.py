"""A backup is a folder: the database, all uploads, and a manifest by which both are checked."""
