-- ARGV: of each lease its job, worker and deliveries. Answers 1 for each that held, 0 for each that did not.
catch_up()
local answers = {}
for n = 1, #ARGV, 3 do
  local id, worker, deliveries = ARGV[n], ARGV[n + 1], tonumber(ARGV[n + 2])
  local record, answer = record_of(id), 0
  if record and not is_settled(record) then
    local held = holder(entry_of(record))
    if is_held_by(held, worker, deliveries) then
      local attempts = attempts_of(entry_of(record), held)
      attempts.claims = math.max(attempts.claims - 1, 0)
      requeue(id, record, attempts)
      answer = 1
    end
  end
  answers[#answers + 1] = answer
end
finish()
return answers
