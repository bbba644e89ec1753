-- Everything that left about one participant, oldest first. Called for the participant and for care, who read it all.
create or replace function log.accounting(participant uuid)
returns table (
    disclosed_at timestamptz, kind text, reader text, party_id uuid, staff_id uuid, labels text, grants text,
    purpose text, surface text
)
language plpgsql stable security definer set search_path = log, pg_temp
as $$
declare
    who record;
begin
    select * into who from gate.whoami();
    if who.reader is distinct from 'case_manager'
       and (who.reader is distinct from 'participant' or who.party is distinct from participant) then
        return;
    end if;
    return query
        select d.recorded_at, d.kind, d.reader, d.party_id, d.staff_id, d.labels, d.grants, d.purpose, d.surface
        from log.disclosure d where d.participant_id = participant order by d.position;
end $$;
