-- Let go of sessions that are over, and of measures that are empty again.
create or replace function access.sweep() returns void
language sql volatile security definer set search_path = access, pg_temp
as $$
    delete from access.session s where s.ends_at <= clock_timestamp()
        or not exists (select from gate.authority a where a.staff_id = s.staff_id and a.alive and a.epoch = s.epoch);
    delete from access.measure m where m.empty_at <= clock_timestamp();
$$;
