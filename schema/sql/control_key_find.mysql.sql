-- $1 migration: tables of which every chunk is done and the key is not built yet, whoever has claimed them
select t.id, t.state
  from drover.tables t
 where t.migration = $1 and t.state in ('copying', 'copied')
   and not exists (select 1 from drover.chunk c
                    where c.migration = $1 and c.table_id = t.id and c.state = 'todo')
 order by t.bytes_total desc, t.id
