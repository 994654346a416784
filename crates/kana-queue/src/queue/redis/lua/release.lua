-- ARGV: of each lease its job, worker and deliveries. Answers 1 for each that held, 0 for each that did not.
catch_up()
local answers = {}
for n = 1, #ARGV, 3 do
  local id, worker, deliveries = ARGV[n], ARGV[n + 1], tonumber(ARGV[n + 2])
  local record, answer = record_of(id), 0
  if record and not is_settled(record) then
    local held = holder(entry_of(record))
    if held and held[2] == worker and tonumber(held[4]) == deliveries then
      local tally = tally_of(entry_of(record), held)
      tally.claims = math.max(tally.claims - 1, 0)
      park(id, record, tally)
      answer = 1
    end
  end
  answers[#answers + 1] = answer
end
finish()
return answers
