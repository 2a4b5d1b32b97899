-- For the transaction of a step: memory for building indexes, unless the server gives more by itself. No wait for
-- the disk at its commit: what a crash takes back, it takes back whole.
select pg_catalog.set_config('synchronous_commit', 'off', true),
       pg_catalog.set_config('maintenance_work_mem', greatest(262144, pg_catalog.pg_size_bytes(
           pg_catalog.current_setting('maintenance_work_mem')) / 1024)::text, true)
