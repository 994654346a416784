-- ARGV: run, worker, 'stopped' or 'crashed'. Answers how many jobs it held.
catch_up(ARGV[1])
local all = {}
each_held(function(held) all[#all + 1] = held end, ARGV[2])
for _, held in ipairs(all) do end_attempt(held, ARGV[3]) end
finish()
if #call('XPENDING', JOBS, GROUP, '-', '+', 1, ARGV[2]) == 0 then call('XGROUP', 'DELCONSUMER', JOBS, GROUP, ARGV[2]) end
return #all
