-- Requeues what a dead worker held. ARGV: worker, 'stopped' or 'crashed'. Answers { jobs requeued, 1 where it holds more }.
catch_up()
local all = held_after(nil, ENDED_MAX, ARGV[1])
local count = 0
for _, held in ipairs(all) do
  -- One that expired a moment ago counted already.
  if is_enough() then break end
  end_attempt(held, ARGV[2])
  count = count + 1
end
finish()
call('ZREM', IDLE, ARGV[1])
if #held_after(nil, 1, ARGV[1]) > 0 then return { count, 1 } end
call('XGROUP', 'DELCONSUMER', JOBS, GROUP, ARGV[1])
call('XGROUP', 'DELCONSUMER', NUDGES, GROUP, ARGV[1])
return { count, 0 }
