-- Requeues what a dead worker held. ARGV: worker, 'stopped' or 'crashed'. Answers how many jobs it held.
catch_up()
local all = {}
for_each_held(function(held) all[#all + 1] = held end, ARGV[1])
for _, held in ipairs(all) do end_attempt(held, ARGV[2]) end
finish()
if #call('XPENDING', JOBS, GROUP, '-', '+', 1, ARGV[1]) == 0 then call('XGROUP', 'DELCONSUMER', JOBS, GROUP, ARGV[1]) end
call('XGROUP', 'DELCONSUMER', NUDGES, GROUP, ARGV[1])
return #all
