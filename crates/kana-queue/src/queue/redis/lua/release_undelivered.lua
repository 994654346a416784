-- Releases what was read for a worker and never reached it. ARGV: worker, an entry to continue after or '', then the jobs
-- that did reach it. Answers the entry to continue after, or ''.
catch_up()
call('ZREM', IDLE, ARGV[1])
local delivered = {}
for n = 3, #ARGV do delivered[ARGV[n]] = true end
local page, next_cursor = held_after(ARGV[2] ~= '' and ARGV[2] or nil, ENDED_MAX, ARGV[1])
for _, held in ipairs(page) do
  local found = call('XRANGE', JOBS, held[1], held[1])[1]
  local id = found and sub(found[2][2], 1, 16)
  local record = id and #id == 16 and not delivered[id] and record_of(id)
  if record and not is_settled(record) then
    local attempts = attempts_of(entry_of(record), held)
    attempts.claims = math.max(attempts.claims - 1, 0)
    requeue(id, record, attempts)
  end
  if found then bytes_read = bytes_read + #found[2][2] + #(found[2][4] or '') end
  if is_enough() then
    next_cursor = held[1]
    break
  end
end
finish()
return next_cursor or ''
