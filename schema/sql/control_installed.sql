-- Does this target have drover's tables?
select 1 from information_schema.schemata where schema_name = 'drover'
