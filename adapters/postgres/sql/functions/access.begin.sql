-- Begin the session of someone who signed in, and end the one that the same browser had. Of more than `most` the oldest
-- ends. False: no authority of that person is alive.
create or replace function access.begin(
    session bytea, before bytea, staff uuid, authenticated timestamptz, acr text, lasts interval, most integer
) returns boolean
language plpgsql volatile security definer set search_path = access, pg_temp
as $$
declare
    at timestamptz := clock_timestamp();
begin
    delete from access.session s where s.id = before;
    insert into access.session (id, staff_id, epoch, authenticated_at, begun_at, seen_at, ends_at, acr)
    select session, a.staff_id, a.epoch, authenticated, at, at, at + lasts, begin.acr
    from gate.authority a where a.staff_id = staff and a.alive;
    if not found then
        return false;
    end if;
    delete from access.session s where s.id in (
        select o.id from access.session o where o.staff_id = staff order by o.begun_at desc, o.id offset most
    );
    return true;
end $$;
