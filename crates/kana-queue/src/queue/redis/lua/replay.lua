-- ARGV: job. Answers replayed, full or unknown.
catch_up()
local id = ARGV[1]
local letter = call('HGET', LETTERS, id)
local found = letter and call('XRANGE', DEAD, letter, letter)[1]
if not found then return 'unknown' end
if call('XLEN', JOBS) >= JOBS_MAX then return 'full' end
local head, image = found[2][2], found[2][4]
local rest, at = sub(head, 17), bucket(id)
-- Read from the stream like any other, and then put aside by its reader, because of its mark.
local entry = call('XADD', JOBS, '*', 'job', head, 'image', image, 'alone', '1')
call('HSET', at, id, waiting_record(entry, rest))
call('HINCRBY', OPEN, at, 1)
call('PERSIST', at)
local members = ROOT .. ':batch:' .. sub(rest, 1, 16)
local jobs = call('HGET', members, 'jobs') or ''
local listed = false
for n = 1, #jobs, 16 do listed = listed or sub(jobs, n, n + 15) == id end
if not listed then call('HSET', members, 'jobs', jobs .. id) end
call('HINCRBY', members, 'open', 1)
call('PERSIST', members)
call('XDEL', DEAD, letter)
call('HDEL', LETTERS, id)
publish_queued(id, rest, 0)
flush_events()
return 'replayed'
