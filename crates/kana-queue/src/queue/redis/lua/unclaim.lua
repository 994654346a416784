-- Gives back what was read for a worker and never reached it. ARGV: worker, then the jobs that did reach it.
catch_up()
local reached, missed = {}, {}
for n = 2, #ARGV do reached[ARGV[n]] = true end
each_held(function(held)
  local found = call('XRANGE', JOBS, held[1], held[1])[1]
  local id = found and sub(found[2][2], 1, 16)
  if id and not reached[id] then missed[#missed + 1] = { id, held } end
end, ARGV[1])
for _, miss in ipairs(missed) do
  local record = record_of(miss[1])
  if record and not is_settled(record) then
    local tally = tally_of(entry_of(record), miss[2])
    tally.claims = math.max(tally.claims - 1, 0)
    park(miss[1], record, tally)
  end
end
finish()
return #missed
