-- ARGV: job. Answers whether there was such a dead letter.
local grave = call('HGET', GRAVES, ARGV[1])
if not grave then return 0 end
call('HDEL', GRAVES, ARGV[1])
return call('XDEL', DEAD, grave)
