-- ARGV: job. Answers whether there was such a dead letter.
catch_up()
local letter = call('HGET', LETTERS, ARGV[1])
if not letter then return 0 end
call('HDEL', LETTERS, ARGV[1])
return call('XDEL', DEAD, letter)
