-- Checks of MariaDB's tables and columns, without those that its json is made of.
select k.constraint_schema, k.table_name, k.constraint_name, k.check_clause
from information_schema.check_constraints k
where k.constraint_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
  and not (k.level = 'Column'
           and k.check_clause = concat('json_valid(`', replace(k.constraint_name, '`', '``'), '`)'))
order by k.constraint_schema, k.table_name, k.constraint_name
