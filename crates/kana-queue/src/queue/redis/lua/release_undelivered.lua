-- Releases what was read for a worker and never reached it. ARGV: worker, then the jobs that did reach it.
catch_up()
local delivered, missed = {}, {}
for n = 2, #ARGV do delivered[ARGV[n]] = true end
for_each_held(function(held)
  local found = call('XRANGE', JOBS, held[1], held[1])[1]
  local id = found and sub(found[2][2], 1, 16)
  if id and not delivered[id] then missed[#missed + 1] = { id, held } end
end, ARGV[1])
for _, miss in ipairs(missed) do
  local record = record_of(miss[1])
  if record and not is_settled(record) then
    local attempts = attempts_of(entry_of(record), miss[2])
    attempts.claims = math.max(attempts.claims - 1, 0)
    requeue(miss[1], record, attempts)
  end
end
finish()
return #missed
