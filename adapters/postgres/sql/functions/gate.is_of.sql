-- Does an event of this topic change the gate?
create or replace function gate.is_of(topic text) returns boolean language sql immutable
as $$ select topic like 'roi.%' or topic like 'item.%' or topic like 'counsel.%' or topic like 'staff.%'
    or topic in ('conflict.declared', 'access.given', 'participant.erased')
$$;
