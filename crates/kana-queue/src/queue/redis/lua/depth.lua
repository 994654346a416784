-- Answers { waiting, dead, submission of the oldest waiting job or '', { worker, jobs held, ... } }.
local running, held = {}, 0
local summary = call('XPENDING', JOBS, GROUP)
if summary[1] > 0 then
  held = summary[1]
  for _, consumer in ipairs(summary[4]) do
    running[#running + 1] = consumer[1]
    running[#running + 1] = tonumber(consumer[2])
  end
end
local heads, new = {}, 0
for _, line in ipairs({ BACK, AGAIN }) do
  local first = call('ZRANGE', line, 0, 0)[1]
  if first then heads[#heads + 1] = call('XRANGE', JOBS, entry_at(first), entry_at(first))[1] end
end
for _, group in ipairs(call('XINFO', 'GROUPS', JOBS)) do
  local fields = {}
  for n = 1, #group, 2 do fields[group[n]] = group[n + 1] end
  if fields['name'] == GROUP then
    local found = call('XRANGE', JOBS, '(' .. fields['last-delivered-id'], '+', 'COUNT', 1)[1]
    heads[#heads + 1] = found
    if found then new = 1 end
  end
end
local oldest = ''
for _, head in ipairs(heads) do
  -- Big-endian times compare as text.
  local submitted = sub(head[2][2], 33, 40)
  if oldest == '' or submitted < oldest then oldest = submitted end
end
-- What somebody else deleted from under a worker counts as held until the next sweep: then more wait than the
-- difference says.
local waiting = math.max(call('XLEN', JOBS) - held, call('ZCARD', BACK) + call('ZCARD', AGAIN) + new)
return { waiting, call('XLEN', DEAD), oldest, running }
