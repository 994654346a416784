-- ARGV: a batch or '', and how many. Answers of each run before that batch, newest first, its batch and its name. Ids of
-- batches grow with time, and so do those of equal scores.
local answers = {}
for _, batch in ipairs(call('ZREVRANGEBYLEX', RUNS, ARGV[1] ~= '' and '(' .. ARGV[1] or '+', '-', 'LIMIT', 0, ARGV[2])) do
  local name = call('HGET', ROOT .. ':batch:' .. batch, 'name')
  if name then answers[#answers + 1] = { batch, name } end
end
return answers
