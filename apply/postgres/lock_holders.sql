-- The sessions that hold a role's lock ($1, a bigint), with what the lease of migration $2 and role $3
-- says of its holder.
select l.pid, e.holder, e.taken_at, e.backend_pid
from pg_catalog.pg_locks l
left join drover.lease e on e.migration = $2 and e.role = $3
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  and l.classid = (($1::bigint >> 32) & 4294967295)::oid
  and l.objid = ($1::bigint & 4294967295)::oid
