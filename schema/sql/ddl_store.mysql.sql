-- $1 migration, $2 JSON. One statement for all steps: they are stored together or not at all.
insert into drover.ddl (migration, step, table_id, kind, name, statement)
select $1, s.step, nullif(s.table_id, 0), s.kind, s.name, s.statement
  from json_table($2, '$[*]' columns (
           step integer path '$.step', table_id integer path '$.table_id', kind longtext path '$.kind',
           name longtext path '$.name', statement longtext path '$.statement')) as s
on duplicate key update step = drover.ddl.step
