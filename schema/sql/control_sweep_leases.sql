-- $1 migration, $2 role: leases of sharers whose session has ended
delete from drover.lease e
 where migration = $1 and role like $2 || '-%'
   and not exists (select 1 from pg_locks k
                    where k.pid = e.backend_pid and k.locktype = 'advisory' and k.granted)
