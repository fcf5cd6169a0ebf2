"""Other services over the same rows, made with as much care as ours: the same indexes, settings of PostgreSQL, answers.

They serve public content alone and check no bans, no idempotency and no scopes: they do less than ours, never more.
"""
