-- Ends the sessions that hold a role's lock ($1, a bigint) and waits a second for each.
select pid, pg_catalog.pg_terminate_backend(pid, 1000) as ended
from pg_catalog.pg_locks
where locktype = 'advisory' and granted and objsubid = 1
  and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  and classid = (($1::bigint >> 32) & 4294967295)::oid
  and objid = ($1::bigint & 4294967295)::oid
  and pid <> pg_catalog.pg_backend_pid()
