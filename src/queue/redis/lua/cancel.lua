-- ARGV: run, job, worker and verdict as a record holds them. Answers cancelled, running, settled or unknown.
catch_up(ARGV[1])
local record = record_of(ARGV[2])
if not record then return 'unknown' end
if is_settled(record) then return 'settled' end
local entry = entry_of(record)
if holder(entry) then return 'running' end
conclude(ARGV[2], record, pack('>L', NOW), tally_of(entry).claims, ARGV[3])
finish()
return 'cancelled'
