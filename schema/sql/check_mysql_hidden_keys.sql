-- Tables whose foreign keys the account does not see as a whole: MariaDB shows them only to those
-- who have more than select on the whole database.
select distinct k.table_schema, k.table_name
from information_schema.key_column_usage k
left join information_schema.referential_constraints r
  on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name
 and r.table_name = k.table_name
where k.referenced_table_name is not null and r.constraint_name is null
