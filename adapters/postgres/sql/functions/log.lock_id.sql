-- The log's lock: whoever holds it appends, so that commit order is position order.
create or replace function log.lock_id() returns bigint language sql immutable as $$ select 7002 $$;
