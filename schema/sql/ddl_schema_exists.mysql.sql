-- $1 schema, in backticks or not
select count(*) > 0
  from information_schema.schemata
 where schema_name = replace(trim(both '`' from $1), '``', '`')
