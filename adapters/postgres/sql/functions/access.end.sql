-- End a session of a member of staff, or (null) all of them; return how many there were.
create or replace function access.end(staff uuid, session bytea) returns bigint
language sql volatile security definer set search_path = access, pg_temp
as $$
    with ended as (
        delete from access.session s where s.staff_id = staff and (session is null or s.id = session) returning 1
    )
    select count(*) from ended
$$;
