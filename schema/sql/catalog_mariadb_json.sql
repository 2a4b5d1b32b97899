-- Columns that MariaDB's json, an alias of longtext with this check, was asked for.
select k.constraint_schema, k.table_name, k.constraint_name
from information_schema.check_constraints k
where k.level = 'Column'
  and k.check_clause = concat('json_valid(`', replace(k.constraint_name, '`', '``'), '`)')
  and k.constraint_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'drover')
