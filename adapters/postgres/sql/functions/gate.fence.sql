-- The site's fence: a narrowing event takes it exclusively, a release shared. Lock order: fence, then log.
create or replace function gate.fence() returns bigint language sql immutable as $$ select 7001 $$;
