-- The sessions of a member of staff that are alive, newest first.
create or replace function access.sessions(staff uuid, idle interval)
returns table (id bytea, authenticated_at timestamptz, begun_at timestamptz, seen_at timestamptz, ends_at timestamptz)
language sql volatile security definer set search_path = access, pg_temp
as $$
    select s.id, s.authenticated_at, s.begun_at, s.seen_at, s.ends_at
    from access.session s join gate.authority a on a.staff_id = s.staff_id and a.alive and a.epoch = s.epoch
    where s.staff_id = staff and s.seen_at > clock_timestamp() - idle and s.ends_at > clock_timestamp()
    order by s.begun_at desc, s.id
$$;
