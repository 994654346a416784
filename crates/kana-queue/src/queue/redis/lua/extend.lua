-- ARGV: of each lease its job, worker and deliveries. Answers 1 for each that held, 0 for each that did not.
catch_up()
local ids = {}
for n = 1, #ARGV, 3 do ids[#ids + 1] = ARGV[n] end
local known, answers, by_worker = records(ids), {}, {}
for n = 1, #ids do
  local record, worker, deliveries = known[n], ARGV[3 * n - 1], tonumber(ARGV[3 * n])
  answers[n] = 0
  if record and not is_settled(record) then
    local entry = entry_of(record)
    local held = holder(entry)
    if is_held_by(held, worker, deliveries) then
      answers[n] = 1
      local list = by_worker[worker]
      if not list then list = {} by_worker[worker] = list end
      list[#list + 1] = entry
    end
  end
end
for worker, entries in pairs(by_worker) do
  in_parts(entries, function(...)
    local some = { ... }
    some[#some + 1] = 'JUSTID'
    call('XCLAIM', JOBS, GROUP, worker, 0, unpack(some))
  end)
end
return answers
