-- ARGV: job, worker and verdict as a record holds them. Answers cancelled, running, settled or unknown.
catch_up()
local record = record_of(ARGV[1])
if not record then return 'unknown' end
if is_settled(record) then return 'settled' end
local entry = entry_of(record)
if holder(entry) then return 'running' end
conclude(ARGV[1], record, pack('>L', NOW), attempts_of(entry).claims, ARGV[2])
finish()
return 'cancelled'
