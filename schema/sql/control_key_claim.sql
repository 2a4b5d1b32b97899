-- $1 migration: every chunk is done and the key is not built yet
select t.id
  from drover.tables t
 where t.migration = $1 and t.state in ('copying', 'copied')
   and not exists (select 1 from drover.chunk c
                    where c.migration = $1 and c.table_id = t.id and c.state = 'todo')
 order by t.bytes_total desc, t.id
 limit 1
   for no key update skip locked
