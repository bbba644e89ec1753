-- Who sends a request, and whether it is one too many: one call for each. Of a session (the digest of what the browser
-- holds) or, for a bearer, of the member of staff whom its token names. No person: nobody whose authority is alive.
-- A measure without an id is that person's own of its kind. Each takes `most` requests in its period and drains evenly; one that is full takes nothing, so that whoever
-- goes on asking waits no longer for it. `looks`: a session that is only looked at again stays as idle as it was.
-- `acr`: how strongly that person signed in, in the provider's words; a bearer's token says it itself. By the machine's own
-- time, as a context is.
create or replace function access.admit(
    session bytea, staff uuid, authenticated timestamptz, idle interval, recently interval, looks boolean,
    kinds text[], measures bytea[], most integer[], periods interval[],
    out person uuid, out recent boolean, out admitted boolean, out acr text
)
language plpgsql volatile security definer set search_path = access, pg_temp
as $$
declare
    at timestamptz := clock_timestamp();
    step interval;
    measure bytea;
begin
    if session is not null then
        select s.staff_id, s.authenticated_at, s.acr into person, authenticated, acr
        from access.session s join gate.authority a on a.staff_id = s.staff_id
        where s.id = session and s.seen_at > at - idle and s.ends_at > at and a.alive and a.epoch = s.epoch;
        if person is not null and not looks then
            update access.session s set seen_at = at where s.id = session;
        end if;
    else
        select a.staff_id into person from gate.authority a where a.staff_id = staff and a.alive;
    end if;
    recent := coalesce(authenticated > at - recently, false);
    admitted := true;
    for n in 1 .. coalesce(array_length(measures, 1), 0) loop
        measure := coalesce(measures[n], sha256(convert_to(kinds[n] || person, 'UTF8')));
        continue when measure is null; -- nobody's own
        step := periods[n] / most[n];
        insert into access.measure as m (id, empty_at) values (measure, at + step)
        on conflict (id) do update
        set empty_at = case when m.empty_at > at + periods[n] then at else greatest(m.empty_at, at) end + step
        where m.empty_at <= at + periods[n] - step
           or m.empty_at > at + periods[n]; -- of a larger number of another protocol, or of a clock that was set back
        if not found then
            admitted := false;
            return;
        end if;
    end loop;
end $$;
