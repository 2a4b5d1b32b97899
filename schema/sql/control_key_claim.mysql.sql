-- $1 migration: every chunk is done, the key is not built yet, and nobody is at it
set @drover_table = null;
select t.id into @drover_table
  from drover.tables t force index (by_size)
 where t.migration = $1 and t.state in ('copying', 'copied')
   and not exists (select 1 from drover.chunk c
                    where c.migration = $1 and c.table_id = t.id and c.state = 'todo')
   and is_used_lock(sha2(concat_ws('/', 'drover', $1, 'key', t.id), 224)) is null
 order by t.bytes_total desc, t.id desc
 limit 1
   for update skip locked;
update drover.tables set session = connection_id() where migration = $1 and id = @drover_table;
select @drover_table from dual where @drover_table is not null
