-- Recording takes one more precondition: that nothing was recorded about these participants meanwhile.
drop function if exists log.record(
    uuid[], bigint[], text[], bytea[], uuid[], uuid[], uuid[], uuid[], timestamptz[],
    uuid[], uuid[], bigint[], uuid, text, bytea, jsonb
);
