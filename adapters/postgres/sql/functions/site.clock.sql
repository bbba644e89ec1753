-- The one clock: the server's, plus an offset that exists only in a demo or a test.
create or replace function site.clock() returns timestamptz
language sql volatile security definer set search_path = site, pg_temp
as $$ select clock_timestamp() + coalesce((select ahead from site.clock_offset), interval '0') $$;
