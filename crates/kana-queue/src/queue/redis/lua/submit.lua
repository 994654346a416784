-- ARGV: batch, key or '', fingerprint, answer; then of each job its id, its change, and its image.
catch_up()
local batch, key, fingerprint, answer = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local repeats = ROOT .. ':key:' .. key
if key ~= '' then
  local known = call('GET', repeats)
  if known then
    if sub(known, 1, 32) ~= fingerprint then return { 'reused' } end
    return { 'repeated', sub(known, 33, 48), sub(known, 49) }
  end
end
local ids = {}
for n = 5, #ARGV, 3 do ids[#ids + 1] = ARGV[n] end
-- A job that is known was sent once more by a sender unsure of our answer.
local known, count = records(ids), #ids
for n = 1, #ids do if known[n] then count = count - 1 end end
if call('XLEN', JOBS) + count > JOBS_MAX then return { 'full' } end

local by_bucket, taken = {}, {}
for n, id in ipairs(ids) do
  if not known[n] then
    local body, image = ARGV[3 + 3 * n], ARGV[4 + 3 * n]
    local rest = sub(body, 6)
    local entry = call('XADD', JOBS, '*', 'job', id .. rest, 'image', image)
    local at = bucket(id)
    local list = by_bucket[at]
    if not list then list = {} by_bucket[at] = list end
    list[#list + 1] = id
    list[#list + 1] = waiting_record(entry, rest)
    taken[#taken + 1] = id
    publish(id, body)
  end
end
for at, list in pairs(by_bucket) do
  in_parts(list, function(...) call('HSET', at, ...) end)
  if call('HINCRBY', OPEN, at, #list / 2) == #list / 2 then call('PERSIST', at) end
end
if count > 0 then
  local members = ROOT .. ':batch:' .. batch
  local before = call('HGET', members, 'jobs')
  if before then
    call('HSET', members, 'jobs', before .. table.concat(taken))
    call('HINCRBY', members, 'open', count)
    call('PERSIST', members)
  else
    call('HSET', members, 'jobs', table.concat(taken), 'open', count)
  end
end
-- A key is gone one millisecond after its time, in Redis; here, at that very millisecond.
if key ~= '' then call('SET', repeats, fingerprint .. batch .. answer, 'PX', math.max(OUTCOME_TTL - 1, 1)) end
flush_events()
return { 'accepted' }
