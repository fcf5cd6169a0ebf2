"""`make attack`: floods against the real service, with bounds. `python -m tests.attack.floods` lists them."""
