"""The front door: everything that happens to a request before and after Django. Imports no model and no app.

In the order of a request: door (ASGI, the list of stops) -> caller, address (who is calling) -> body (read within
bounds) -> pool (is there room) -> wsgi (Django, in a thread) -> answers (back out). Files go from the door straight
to files. Every number is in limits; deadline tells a thread how long it may still wait.
"""
