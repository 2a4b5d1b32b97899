-- Checks of MySQL's tables.
select t.table_schema, t.table_name, t.constraint_name, k.check_clause
from information_schema.table_constraints t
join information_schema.check_constraints k
  on k.constraint_schema = t.constraint_schema and k.constraint_name = t.constraint_name
where t.constraint_type = 'CHECK' and t.enforced = 'YES'
  and t.table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
order by t.table_schema, t.table_name, t.constraint_name
