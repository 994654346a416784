-- ARGV: jobs. Answers of each its lost attempts as ../encoding.rs says, oldest first, or ''.
local answers = {}
for n, id in ipairs(ARGV) do answers[n] = call('HGET', lost_bucket(id), id) or '' end
return answers
