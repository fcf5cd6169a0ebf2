-- For DATABASE_POOLED=1: what start-up options say otherwise. One role for each kind of process; commands need none.
-- The lines are PLANS and TIMEOUTS of makerlog/settings.py; a test compares them.

ALTER ROLE makerlog_web SET enable_seqscan = 'off';
ALTER ROLE makerlog_web SET enable_bitmapscan = 'off';
ALTER ROLE makerlog_web SET enable_hashjoin = 'off';
ALTER ROLE makerlog_web SET enable_mergejoin = 'off';
ALTER ROLE makerlog_web SET enable_memoize = 'off';
ALTER ROLE makerlog_web SET enable_incremental_sort = 'off';
ALTER ROLE makerlog_web SET jit = 'off';
ALTER ROLE makerlog_web SET max_parallel_workers_per_gather = '0';
ALTER ROLE makerlog_web SET statement_timeout = '5s';
ALTER ROLE makerlog_web SET lock_timeout = '2s';
ALTER ROLE makerlog_web SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE makerlog_web SET client_connection_check_interval = '1s';

ALTER ROLE makerlog_ops SET enable_seqscan = 'off';
ALTER ROLE makerlog_ops SET enable_bitmapscan = 'off';
ALTER ROLE makerlog_ops SET enable_hashjoin = 'off';
ALTER ROLE makerlog_ops SET enable_mergejoin = 'off';
ALTER ROLE makerlog_ops SET enable_memoize = 'off';
ALTER ROLE makerlog_ops SET enable_incremental_sort = 'off';
ALTER ROLE makerlog_ops SET jit = 'off';
ALTER ROLE makerlog_ops SET max_parallel_workers_per_gather = '0';
ALTER ROLE makerlog_ops SET statement_timeout = '15s';
ALTER ROLE makerlog_ops SET lock_timeout = '5s';
ALTER ROLE makerlog_ops SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE makerlog_ops SET client_connection_check_interval = '1s';

ALTER ROLE makerlog_worker SET statement_timeout = '5min';
ALTER ROLE makerlog_worker SET lock_timeout = '10s';
ALTER ROLE makerlog_worker SET idle_in_transaction_session_timeout = '1min';
ALTER ROLE makerlog_worker SET client_connection_check_interval = '10s';
