-- $1 migration; big tables first
select t.id
  from drover.tables t
 where t.migration = $1
   and not exists (select 1 from drover.chunk c where c.migration = $1 and c.table_id = t.id)
 order by t.bytes_total desc, t.id
