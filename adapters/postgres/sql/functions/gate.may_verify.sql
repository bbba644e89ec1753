-- Whether the reader may have the leaves of a participant: the participant itself and whose record it was merged into,
-- counsel while the client's authority lives, and a defender's observer whom the participant's ROI names.
create or replace function gate.may_verify(participant uuid) returns boolean
language sql stable security definer set search_path = gate, pg_temp
as $$
    select coalesce((
        select (who.reader = 'participant' and participant in (select gate.records()))
            or (who.reader in ('counsel', 'observer') and exists (
                select from gate.consent g
                where g.party_id = who.party and g.participant_id = participant and g.roi_until > site.clock()
            ))
        from gate.whoami() who
    ), false)
$$;
