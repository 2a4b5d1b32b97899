-- $1 migration, $2 role: leases of sharers whose session has ended
delete from drover.lease
 where migration = $1 and role like concat($2, '-%')
   and is_used_lock(sha2(concat_ws('/', 'drover', migration, 'lease', role), 224)) is null
