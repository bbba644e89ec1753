-- Let the clock stand at a moment until it is moved again. Refused outside a demo or a test, whoever asks.
create or replace function site.stop_clock(at timestamptz) returns void
language plpgsql security definer set search_path = site, pg_temp
as $$
begin
    perform site.require_movable_clock();
    insert into site.clock_offset (ahead, stands_at) values (interval '0', at)
    on conflict (one) do update set stands_at = excluded.stands_at;
end $$;
