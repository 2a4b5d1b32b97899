-- Gives up this session's hold of a role ($1, a bigint) alone, where it has one.
select pg_catalog.pg_advisory_unlock($1::bigint)
from pg_catalog.pg_locks
where locktype = 'advisory' and granted and objsubid = 1 and mode = 'ExclusiveLock'
  and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  and classid = (($1::bigint >> 32) & 4294967295)::oid
  and objid = ($1::bigint & 4294967295)::oid
  and pid = pg_catalog.pg_backend_pid()
