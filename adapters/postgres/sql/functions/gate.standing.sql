-- The whole gate, for whoever derives it again from the events: consent, then authority (which has no participant).
create or replace function gate.standing()
returns table (
    party uuid, participant uuid, staff uuid, epoch bigint, roi_until timestamptz, item_until timestamptz, alive boolean
)
language sql stable security definer set search_path = gate, pg_temp
as $$
    select party_id, participant_id, null::uuid, epoch, nullif(roi_until, '-infinity'), nullif(item_until, '-infinity'),
           null::boolean
    from gate.consent
    union all
    select party_id, null, staff_id, epoch, null, null, alive from gate.authority
$$;
