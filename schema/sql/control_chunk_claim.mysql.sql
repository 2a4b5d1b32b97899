-- $1 migration
set @drover_table = null, @drover_chunk = null;
select table_id, chunk into @drover_table, @drover_chunk
  from drover.chunk force index (by_place)
 where migration = $1 and state = 'todo'
 order by place, table_id, chunk
 limit 1
   for update skip locked;
update drover.chunk set session = connection_id()
 where migration = $1 and table_id = @drover_table and chunk = @drover_chunk;
select table_id, chunk, lower_key, upper_key
  from drover.chunk
 where migration = $1 and table_id = @drover_table and chunk = @drover_chunk
