-- $1 migration
select t.id
  from drover.tables t
 where t.migration = $1 and t.state = 'planned'
 order by t.bytes_total desc, t.id
 limit 1
   for no key update skip locked
