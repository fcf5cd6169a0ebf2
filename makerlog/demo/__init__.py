"""A made-up community, to develop and measure with: `manage.py demo`. Imports all content apps; nobody imports it."""
