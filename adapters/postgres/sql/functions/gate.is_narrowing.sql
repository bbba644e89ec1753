-- Does an event of this topic take something away from a reader? Then it waits for disclosures in flight.
create or replace function gate.is_narrowing(topic text) returns boolean language sql immutable
as $$ select topic in (
    'roi.narrowed', 'roi.revoked', 'roi.expired', 'item.withdrawn', 'counsel.narrowed', 'counsel.ended',
    'conflict.declared', 'staff.ended', 'participant.erased', 'participant.unmerged'
) $$;
