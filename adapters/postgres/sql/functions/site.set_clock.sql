-- Move the clock, and let it go on from there. Refused outside a demo or a test, whoever asks.
create or replace function site.set_clock(ahead_by interval) returns void
language plpgsql security definer set search_path = site, pg_temp
as $$
begin
    perform site.require_movable_clock();
    insert into site.clock_offset (ahead) values (ahead_by)
    on conflict (one) do update set ahead = excluded.ahead, stands_at = null;
end $$;
