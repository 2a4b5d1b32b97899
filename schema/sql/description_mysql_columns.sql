-- What columns of MySQL and MariaDB have beside their types.
select c.table_schema, c.table_name, c.column_name, c.column_default, c.extra, c.column_comment
from information_schema.columns c
where c.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
