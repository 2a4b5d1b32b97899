-- $1 migration
select high, count(*) filter (where state = 'todo')
  from drover.chunk
 where migration = $1
 group by high
