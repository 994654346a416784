-- Accepts submissions, each of them completely or not at all, whatever becomes of the others. ARGV: of each its batch, '+'
-- and the name of its run or '', key or '', fingerprint, answer, and how many jobs it has; then of each job its id, its
-- change, and its image. Answers of each
-- { 'accepted' }, { 'full' }, { 'reused' }, or { 'repeated', batch, answer }.
catch_up()
local ids, batches, at = {}, {}, 1
while at <= #ARGV do
  local last = at + 5 + 3 * tonumber(ARGV[at + 5])
  batches[#batches + 1] = ROOT .. ':batch:' .. ARGV[at]
  for job = at + 6, last, 3 do ids[#ids + 1] = ARGV[job] end
  at = last + 1
end
-- A job that is known was sent once more by a sender unsure of our answer, perhaps in this very call.
local is_known = {}
for n, record in pairs(records(ids)) do is_known[ids[n]] = record and true end
local is_begun = {}
if call('EXISTS', unpack(batches)) > 0 then
  for _, members in ipairs(batches) do is_begun[members] = true end
end

local unsettled, by_bucket = call('XLEN', JOBS), {}
local function accept(at, members)
  local batch, run, key, fingerprint, answer, count = unpack(ARGV, at, at + 5)
  local repeats = ROOT .. ':key:' .. key
  if key ~= '' then
    local known = call('GET', repeats)
    if known then
      if sub(known, 1, 32) ~= fingerprint then return { 'reused' } end
      return { 'repeated', sub(known, 33, 48), sub(known, 49) }
    end
  end
  local last, taken = at + 5 + 3 * count, {}
  for job = at + 6, last, 3 do
    if not is_known[ARGV[job]] then taken[#taken + 1] = ARGV[job] end
  end
  if unsettled + #taken > JOBS_MAX then return { 'full' } end

  for job = at + 6, last, 3 do
    local id, body, image = ARGV[job], ARGV[job + 1], ARGV[job + 2]
    if not is_known[id] then
      is_known[id] = true
      local rest = sub(body, 6)
      local entry = call('XADD', JOBS, '*', 'job', id .. rest, 'image', image)
      local in_bucket = bucket(id)
      local list = by_bucket[in_bucket]
      if not list then list = {} by_bucket[in_bucket] = list end
      list[#list + 1] = id
      list[#list + 1] = waiting_record(entry, rest)
      publish(id, body)
    end
  end
  if #taken > 0 then
    unsettled = unsettled + #taken
    local before = is_begun[members] and call('HGET', members, 'jobs')
    if before then
      call('HSET', members, 'jobs', before .. table.concat(taken))
      call('HINCRBY', members, 'open', #taken)
      call('PERSIST', members)
    else
      call('HSET', members, 'jobs', table.concat(taken), 'open', #taken)
      if run ~= '' then
        call('HSET', members, 'name', sub(run, 2))
        call('ZADD', RUNS, 0, batch)
        call('ZREMRANGEBYRANK', RUNS, 0, -RUNS_MAX - 1)
      end
      is_begun[members] = true
    end
  end
  -- A key is gone one millisecond after its time, in Redis; here, at that very millisecond.
  if key ~= '' then call('SET', repeats, fingerprint .. batch .. answer, 'PX', math.max(OUTCOME_TTL - 1, 1)) end
  return { 'accepted' }
end

local answers = {}
at = 1
for n, members in ipairs(batches) do
  answers[n] = accept(at, members)
  at = at + 6 + 3 * tonumber(ARGV[at + 5])
end
for in_bucket, list in pairs(by_bucket) do
  in_parts(list, function(...) call('HSET', in_bucket, ...) end)
  if call('HINCRBY', OPEN, in_bucket, #list / 2) == #list / 2 then call('PERSIST', in_bucket) end
end
flush_events()
return answers
