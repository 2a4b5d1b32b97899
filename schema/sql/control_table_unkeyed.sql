-- $1 migration, $2 tables that are taken: every chunk is done and the key is not built yet
select t.id
  from drover.tables t
 where t.migration = $1 and t.state in ('planned', 'copying', 'copied')
   and t.id <> all ($2::integer[])
   and exists (select 1 from drover.chunk c where c.migration = $1 and c.table_id = t.id)
   and not exists (select 1 from drover.chunk c
                    where c.migration = $1 and c.table_id = t.id and c.state = 'todo')
 order by t.bytes_total desc, t.id
 limit 1
