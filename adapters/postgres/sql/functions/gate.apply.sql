-- What an event does to the gate, from its own clear columns alone.
create or replace function gate.apply(
    topic text, participant uuid, party uuid, staff uuid, expires timestamptz, pos bigint
) returns void
language plpgsql security definer set search_path = gate, pg_temp
as $$
begin
    case topic
        when 'roi.granted', 'counsel.authorised' then
            insert into gate.consent as g values (party, participant, 0, expires, '-infinity')
            on conflict (party_id, participant_id) do update set roi_until = excluded.roi_until;
        when 'roi.narrowed', 'counsel.narrowed' then
            insert into gate.consent as g values (party, participant, pos, expires, '-infinity')
            on conflict (party_id, participant_id) do update set epoch = pos, roi_until = excluded.roi_until;
        when 'roi.revoked', 'counsel.ended', 'conflict.declared' then
            insert into gate.consent as g values (party, participant, pos, '-infinity', '-infinity')
            on conflict (party_id, participant_id) do update
            set epoch = pos, roi_until = '-infinity', item_until = '-infinity';
        when 'roi.expired' then
            insert into gate.consent as g values (party, participant, pos, '-infinity', '-infinity')
            on conflict (party_id, participant_id) do update set epoch = pos, roi_until = '-infinity';
        when 'item.consented' then
            insert into gate.consent as g values (party, participant, 0, '-infinity', expires)
            on conflict (party_id, participant_id) do update
            set item_until = greatest(g.item_until, excluded.item_until);
        when 'item.withdrawn' then
            insert into gate.consent as g values (party, participant, pos, '-infinity', '-infinity')
            on conflict (party_id, participant_id) do update set epoch = pos;
        when 'participant.erased' then
            update gate.consent g set epoch = pos, roi_until = '-infinity', item_until = '-infinity'
            where g.participant_id = participant;
        when 'staff.registered', 'access.given' then
            insert into gate.authority as a values (staff, party, pos, true)
            on conflict (staff_id) do update set party_id = excluded.party_id, epoch = pos, alive = true;
        when 'staff.ended' then
            insert into gate.authority as a values (staff, party, pos, false)
            on conflict (staff_id) do update set epoch = pos, alive = false;
        else
            null;
    end case;
end $$;
