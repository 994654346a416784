-- ARGV: of each settlement its job, worker, deliveries, time of the claim (eight bytes), and either '1' and
-- worker and verdict as a record holds them, or '0' and why it failed. Answers done, retried, dead or late for each.
catch_up()
local ids = {}
for n = 1, #ARGV, 6 do ids[#ids + 1] = ARGV[n] end
local known, answers, seen = records(ids), {}, {}
local has_attempts = call('EXISTS', ATTEMPTS) == 1
for n, id in ipairs(ids) do
  local at = 6 * n - 5
  local worker, deliveries = ARGV[at + 1], tonumber(ARGV[at + 2])
  local claimed, good, said = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local record, answer = known[n], 'late'
  if record and not is_settled(record) and not seen[id] then
    local entry = entry_of(record)
    if good == '1' then
      local attempts = has_attempts and call('HGET', ATTEMPTS, entry)
      local claims = attempts and tonumber(string.match(attempts, '%d+ (%d+)')) or 1
      conclude(id, record, claimed, claims, said)
      answer, seen[id] = 'done', true
    else
      local held = holder(entry)
      if is_held_by(held, worker, deliveries) then
        held[3] = NOW - unpack_at('>L', claimed)
        answer, seen[id] = end_attempt(held, 'failed', said), true
      end
    end
  end
  answers[n] = answer
end
finish()
return answers
