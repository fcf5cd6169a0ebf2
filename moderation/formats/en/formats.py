"""Read at 3 AM, in whatever country: 2026-11-22 22:12:29 UTC."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s T"
