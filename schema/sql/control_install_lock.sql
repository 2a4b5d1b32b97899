-- Two processes that create the same objects at once would fail on each other's catalog rows, "if not exists" or
-- not; the lock lasts until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('drover.control.install', 0))
