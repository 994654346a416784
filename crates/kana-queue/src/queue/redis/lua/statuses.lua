-- ARGV: jobs, or 'batch', a batch, and of its jobs how many to pass over and how many to look up. Answers how many jobs
-- there are, and of each known one its position, its id and its change.
local ids, count = ARGV, #ARGV
if ARGV[1] == 'batch' then
  local joined = call('HGET', ROOT .. ':batch:' .. ARGV[2], 'jobs') or ''
  local from = 16 * ARGV[3]
  ids, count = {}, #joined / 16
  for n = from + 1, math.min(from + 16 * ARGV[4], #joined), 16 do ids[#ids + 1] = sub(joined, n, n + 15) end
end
local answers = {}
for n, record in pairs(records(ids)) do
  local id, body = ids[n], record
  if not is_settled(record) then
    local entry = entry_of(record)
    local held = holder(entry)
    local claims = attempts_of(entry, held).claims
    if held then
      body = 'R' .. pack('>I4I2', claims, #held[2]) .. held[2] .. rest_of(record)
    else
      body = 'Q' .. pack('>I4', claims) .. rest_of(record)
    end
  end
  answers[#answers + 1] = { n, id, body }
end
return { count, answers }
