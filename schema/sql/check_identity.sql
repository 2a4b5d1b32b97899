-- Who the source is, as IDENTIFY_SYSTEM tells it: system identifier/timeline. The control file's
-- timeline is the last checkpoint's, so that of the log's end is taken where there is one.
select pg_catalog.format('%s/%s', s.system_identifier,
           case when pg_catalog.pg_is_in_recovery() then c.timeline_id
                else ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int
           end),
       pg_catalog.current_setting('server_encoding')
from pg_catalog.pg_control_system() s
cross join pg_catalog.pg_control_checkpoint() c
