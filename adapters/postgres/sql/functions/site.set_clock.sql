-- Move the clock. Refused outside a demo or a test, whoever asks.
create or replace function site.set_clock(ahead_by interval) returns void
language plpgsql security definer set search_path = site, pg_temp
as $$
begin
    if not exists (select from site.environment where kind in ('demo', 'test')) then
        raise exception 'the clock moves only in a demo or a test' using errcode = 'GT010';
    end if;
    insert into site.clock_offset (ahead) values (ahead_by)
    on conflict (one) do update set ahead = excluded.ahead;
end $$;
