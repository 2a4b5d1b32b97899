-- $1 migration
select high, count(case when state = 'todo' then 1 end)
  from drover.chunk
 where migration = $1
 group by high
