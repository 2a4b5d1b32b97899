-- What tables of MySQL and MariaDB have beside columns.
select t.table_schema, t.table_name, t.table_comment, t.auto_increment, t.create_options
from information_schema.tables t
where t.table_type = 'BASE TABLE'
  and t.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
