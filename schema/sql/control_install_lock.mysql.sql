-- Two processes that create the same objects at once may end in a deadlock, "if not exists" or not.
select get_lock('drover.control.install', 60)
