-- Columns of MySQL's and MariaDB's tables, in the order in which they were created.
select c.table_schema, c.table_name, c.column_name, c.column_type, c.ordinal_position, c.is_nullable = 'NO',
       c.extra, c.generation_expression, c.column_default, c.character_set_name, c.collation_name
from information_schema.columns c
where c.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by c.table_schema, c.table_name, c.ordinal_position
