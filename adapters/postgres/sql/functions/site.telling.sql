-- The catalog's own views and functions, open to everybody by default, by which a login without any context would learn
-- how much others do and when (statistics, locks, sizes, counters), end their sessions, hold the fence, or leave something.
create or replace function site.telling(out name text, out kind text) returns setof record
language sql stable set search_path = site, pg_temp
as $$
    select c.oid::regclass::text, 'table' from pg_class c
    where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'v'
      and (c.relname like 'pg\_stat\_%' or c.relname like 'pg\_statio\_%' or c.relname like 'pg\_stats%'
           or c.relname in ('pg_locks', 'pg_prepared_xacts'))
    union all
    select p.oid::regprocedure::text, 'function' from pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and (
        p.proname like 'pg\_stat\_get\_%' or p.proname like 'pg\_%\_size' -- how much there is, and was
        or p.proname in ('pg_stat_have_stats', 'currtid2')
        or p.proname in ('pg_lock_status', 'pg_prepared_xact') or p.proname like '%\_blocking\_pids' -- who waits
        or p.proname in ('pg_isolation_test_session_is_blocked', 'pg_export_snapshot')
        or p.proname like 'pg\_current\_wal\_%' or p.proname like 'pg\_last\_wal\_%' -- how far the counters are
        or p.proname like 'pg\_walfile\_name%' or p.proname like 'pg\_control\_%'
        or p.proname like 'txid\_%' or p.proname like 'pg\_current\_xact\_%' or p.proname = 'pg_current_snapshot'
        or p.proname like 'pg\_xact\_%' or p.proname in ('pg_last_committed_xact', 'mxid_age')
        or p.oid = 'age(xid)'::regprocedure
        or p.proname in ('pg_cancel_backend', 'pg_terminate_backend') -- others' sessions of the same login
        or p.proname like 'pg\_advisory\_%' or p.proname like 'pg\_try\_advisory\_%' -- whoever holds the fence, stops
        or p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea') -- what is left behind, others may find
    )
$$;
