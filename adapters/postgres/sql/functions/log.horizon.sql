-- The position up to which everything is committed: for an instant nobody records and nobody discloses.
create or replace function log.horizon() returns bigint
language plpgsql volatile security definer set search_path = log, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(gate.fence());
    perform pg_advisory_xact_lock(log.lock_id());
    return (select case when is_called then last_value else 0 end from log.position);
end $$;
