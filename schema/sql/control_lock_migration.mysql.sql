-- $1 migration. Who changes its phase or gives epochs waits here for others that do.
select phase from drover.migration where name = $1 for update
