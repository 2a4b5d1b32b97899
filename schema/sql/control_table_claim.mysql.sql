-- $1 migration, $2 table, $3 the state in which it was found. Nobody is building its key.
set @drover_table = null;
select id into @drover_table
  from drover.tables
 where migration = $1 and id = $2 and state = $3
   and is_used_lock(sha2(concat_ws('/', 'drover', $1, 'key', $2), 224)) is null
   for update skip locked;
update drover.tables set session = connection_id() where migration = $1 and id = @drover_table;
select @drover_table from dual where @drover_table is not null
