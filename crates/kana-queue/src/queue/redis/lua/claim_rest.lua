-- After a worker waited for one new job: hands out its share of the others. Redis gives one to each worker that waits before
-- any of them gets here. ARGV: worker, limit of the others. Answers { now, claims }, each as claim does.
catch_up()
call('ZREM', IDLE, ARGV[1])
local claims, count = {}, share_of(unread_count(), tonumber(ARGV[2]))
if count > 0 then
  local read = call('XREADGROUP', 'GROUP', GROUP, ARGV[1], 'COUNT', count, 'STREAMS', JOBS, '>')
  for _, found in ipairs(read and read[1][2] or {}) do
    local head = found[2][2]
    publish_running(head, 1, ARGV[1])
    claims[#claims + 1] = { found[1], 1, 1, head, found[2][4], found[2][6] or '' }
  end
  flush_events()
end
return { NOW, claims }
