-- The party the reader belongs to; null without a valid context. Policies call it once per statement.
create or replace function gate.party() returns uuid language sql stable security definer set search_path = gate, pg_temp
as $$ select party from gate.whoami() $$;
