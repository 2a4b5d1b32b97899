select (select system_identifier from pg_catalog.pg_control_system())
           || '/' || ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int,
       pg_catalog.pg_current_wal_flush_lsn(),
       s.confirmed_flush_lsn,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), s.restart_lsn), -1)::bigint,
       s.slot_name is null or coalesce(s.wal_status = 'lost', false),
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()),
       (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint
from (values (1)) as one
left join pg_catalog.pg_replication_slots as s on s.slot_name = $1
