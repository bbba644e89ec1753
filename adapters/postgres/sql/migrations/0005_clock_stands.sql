-- In a demo or a test the clock may stand still.
alter table site.clock_offset add column stands_at timestamptz;
