-- The sessions that hold the locks of roles ($1, names; $2, bigints), with what the leases of
-- migration $3 say of them. A session may hold a lock in two modes for a moment.
select r.role, e.holder, e.taken_at, e.epoch, l.pid
from unnest($1::text[], $2::bigint[]) with ordinality as r (role, key, place)
cross join lateral (
    select distinct k.pid
    from pg_catalog.pg_locks k
    where k.locktype = 'advisory' and k.granted and k.objsubid = 1
      and k.database = (select oid from pg_catalog.pg_database
                         where datname = pg_catalog.current_database())
      and k.classid = ((r.key >> 32) & 4294967295)::oid
      and k.objid = (r.key & 4294967295)::oid) l
left join lateral (
    select * from drover.lease e
    where e.migration = $3 and e.backend_pid = l.pid
      and (e.role = r.role or pg_catalog.starts_with(e.role, r.role || '-'))
    order by e.role desc limit 1) e on true
order by r.place, e.taken_at, l.pid
