"""Products, and the projects that group tasks."""
