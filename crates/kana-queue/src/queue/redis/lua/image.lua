-- ARGV: job. Answers the image of a job that waits, runs or is a dead letter, or ''.
local record = record_of(ARGV[1])
local found
if record and not is_settled(record) then
  found = call('XRANGE', JOBS, entry_of(record), entry_of(record))[1]
else
  local letter = call('HGET', LETTERS, ARGV[1])
  found = letter and call('XRANGE', DEAD, letter, letter)[1]
end
return found and found[2][4] or ''
