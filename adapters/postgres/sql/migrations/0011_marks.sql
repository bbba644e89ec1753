-- Which rows a disclosure showed: the first eight bytes of each row's keyed digest, while `digest` is over the whole of
-- them. Null: what was disclosed before this was kept.
alter table log.disclosure add column marks bytea check (length(marks) % 8 = 0);

-- Release takes the marks; the accounting gives what a disclosure is computed again from.
drop function if exists gate.release(
    uuid[], bigint[], timestamptz[], bigint[], text[], text[], bytea[], text, text, text, uuid
);
drop function if exists log.accounting(uuid);
