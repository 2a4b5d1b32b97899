-- $1 migration: tables that are to be planned, whoever has claimed them
select id, state
  from drover.tables
 where migration = $1 and state = 'planned'
 order by bytes_total desc, id
