-- $1 migration, $2 JSON. One statement for all steps: they are stored together or not at all.
insert into drover.ddl (migration, step, table_id, kind, name, statement)
select $1, s.step, nullif(s.table_id, 0), s.kind, s.name, s.statement
  from jsonb_to_recordset($2::jsonb)
       as s (step integer, table_id integer, kind text, name text, statement text)
on conflict do nothing
