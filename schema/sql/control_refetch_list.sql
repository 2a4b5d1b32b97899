-- $1 migration, $2 how many
select table_id, encode(key, 'hex')
  from drover.refetch
 where migration = $1
 order by created_at, table_id, key
 limit $2
