-- Everything that left about one participant, oldest first: for care, the privacy officer, the participant itself and
-- whose record it was merged into, and counsel while the client's authority lives. To none but the privacy officer what
-- was disclosed to an agency while the accounting is suspended for it.
create or replace function log.accounting(participant uuid)
returns table (
    disclosed_at timestamptz, kind text, reader text, party_id uuid, staff_id uuid, labels text, grants text,
    purpose text, surface text, as_of bigint, view_version text, digest bytea, marks bytea
)
language plpgsql stable security definer set search_path = log, pg_temp
as $$
declare
    who record;
begin
    select * into who from gate.whoami();
    if not coalesce(
        who.reader in ('case_manager', 'privacy')
        or (who.reader = 'participant' and participant in (select gate.records()))
        or (who.reader = 'counsel' and exists (
            select from gate.consent g
            where g.party_id = who.party and g.participant_id = participant and g.roi_until > site.clock()
        )), false
    ) then
        return;
    end if;
    return query
        select d.recorded_at, d.kind, d.reader, d.party_id, d.staff_id, d.labels, d.grants, d.purpose, d.surface,
               d.as_of, d.view_version, d.digest, d.marks
        from log.disclosure d
        where d.participant_id = participant
          and (who.reader = 'privacy' or d.party_id not in (select log.silent_of(participant)))
        order by d.position;
end $$;
