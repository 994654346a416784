-- ARGV: time in ms after which an unused library may go; then every library of this queue. Answers those that may go.
local span, unused = tonumber(ARGV[1]), {}
for n = 2, #ARGV do
  local field = 'used:' .. ARGV[n]
  -- Of a kana that does not note what it uses, or used for the first time: the span begins now.
  local used = tonumber(call('HGET', STATE, field))
  if not used or used > NOW then
    call('HSET', STATE, field, NOW)
  elseif ARGV[n] ~= LIBRARY and used + span <= NOW then
    call('HDEL', STATE, field)
    unused[#unused + 1] = ARGV[n]
  end
end
return unused
