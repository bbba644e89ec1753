-- The one clock: the server's, plus an offset that exists only in a demo or a test, where it may also stand still.
create or replace function site.clock() returns timestamptz
language sql volatile security definer set search_path = site, pg_temp
as $$
    select coalesce(max(stands_at), clock_timestamp() + coalesce(max(ahead), interval '0')) from site.clock_offset
$$;
