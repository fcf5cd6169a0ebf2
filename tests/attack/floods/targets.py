"""What is flooded. The words stand in the table and on the command line."""

LISTS = "lists"
FILTERS = "filters"
DETAILS = "details"
LOG_IN = "log-in"
ADMIN = "admin"
SOCKETS = "sockets"
LONG_TEXTS = "long texts"
