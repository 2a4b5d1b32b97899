-- Does this target have drover's tables? Each of them was a transaction of its own: the last one tells.
select 1 from information_schema.tables where table_schema = 'drover' and table_name = 'object'
