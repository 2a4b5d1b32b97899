select active_pid,
       confirmed_flush_lsn,
       coalesce(wal_status = 'lost', false),
       coalesce(database = current_database() and plugin = 'pgoutput', false),
       coalesce(to_jsonb(s) ->> 'invalidation_reason', '')
from pg_catalog.pg_replication_slots as s
where slot_name = $1
