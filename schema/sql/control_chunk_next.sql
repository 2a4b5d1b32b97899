-- $1 migration, $2 chunks that are taken: table << 32 | chunk
select c.table_id, c.chunk, c.lower_key, c.upper_key
  from drover.chunk c
  join drover.tables t on t.migration = c.migration and t.id = c.table_id
 where c.migration = $1 and c.state = 'todo'
   and (c.table_id::bigint << 32 | c.chunk) <> all ($2::bigint[])
 order by t.bytes_total desc, c.table_id, c.chunk
 limit 1
