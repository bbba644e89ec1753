-- Make the gate anew from the log, after a restore: whoever restored it from an older copy has let ended consent live.
-- Returns how many rows that changed.
create or replace function gate.derive() returns bigint
language plpgsql volatile security definer set search_path = gate, pg_temp
as $$
declare
    e record;
    changed bigint;
begin
    perform pg_advisory_xact_lock(gate.fence());
    perform pg_advisory_xact_lock(log.lock_id());
    create temporary table before on commit drop as
        select 'consent' as kind, to_jsonb(c) as row from gate.consent c
        union all select 'authority', to_jsonb(a) from gate.authority a;
    delete from gate.consent;
    delete from gate.authority;
    for e in
        select topic, participant_id, party_id, staff_id, expires_at, notification_id from log.event
        where gate.is_of(topic) order by notification_id
    loop
        perform gate.apply(e.topic, e.participant_id, e.party_id, e.staff_id, e.expires_at, e.notification_id);
    end loop;
    select count(*) into changed from (
        (select 'consent' as kind, to_jsonb(c) as row from gate.consent c
         union all select 'authority', to_jsonb(a) from gate.authority a)
        except select kind, row from before
    ) d;
    return changed;
end $$;
