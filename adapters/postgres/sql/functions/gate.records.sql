-- The records of a participant who reads: its own, and those that are merged into it now. Policies call it once per
-- statement.
create or replace function gate.records() returns setof uuid
language sql stable security definer set search_path = gate, pg_temp
as $$ select log.records((select gate.party())) $$;
