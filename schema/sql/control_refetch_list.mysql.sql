-- $1 migration, $2 how many: only a prepared statement takes a limit that is a value
prepare drover_refetch_list from
    'select table_id, hex(`key`) from drover.refetch where migration = ? order by id limit ?';
set @drover_migration = $1, @drover_limit = cast($2 as unsigned);
execute drover_refetch_list using @drover_migration, @drover_limit
