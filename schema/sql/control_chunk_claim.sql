-- $1 migration
select c.table_id, c.chunk, c.lower_key, c.upper_key
  from drover.chunk c
  join drover.tables t on t.migration = c.migration and t.id = c.table_id
 where c.migration = $1 and c.state = 'todo'
 order by t.bytes_total desc, c.table_id, c.chunk
 limit 1
   for update of c skip locked
