-- The name of this session, so that a context that is signed for it is worth nothing in another. The process may come
-- again, the moment at which it began does not (0 for an owner who is not let see it, as only a superuser is by default).
create or replace function gate.session() returns text
language sql stable security definer set search_path = gate, pg_temp
as $$
    select a.pid || '.' || coalesce(trunc(extract(epoch from a.backend_start) * 1000000), 0)
    from pg_stat_get_activity(pg_backend_pid()) a
$$;
