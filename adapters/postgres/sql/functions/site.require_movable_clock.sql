create or replace function site.require_movable_clock() returns void
language plpgsql security definer set search_path = site, pg_temp
as $$
begin
    if not exists (select from site.environment where kind in ('demo', 'test')) then
        raise exception 'the clock moves only in a demo or a test' using errcode = 'GT010';
    end if;
end $$;
