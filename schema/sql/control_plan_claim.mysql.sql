-- $1 migration
set @drover_table = null;
select id into @drover_table
  from drover.tables force index (by_size)
 where migration = $1 and state = 'planned'
 order by bytes_total desc, id desc
 limit 1
   for update skip locked;
update drover.tables set session = connection_id() where migration = $1 and id = @drover_table;
select @drover_table from dual where @drover_table is not null
