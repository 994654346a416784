-- Hands out jobs that were released, requeued or replayed. ARGV: worker, limit, time in ms for which it would wait.
-- Answers { now, 'stream', share } where the caller should read so many new jobs from the stream, { now, 'wait' } where it
-- should wait for one and then call claim_rest, otherwise { now, 'taken', claims } with { entry, deliveries, attempt, head,
-- image, mark } of each.
local worker, limit, wait = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local last = catch_up()
call('ZREM', IDLE, worker)

local function to_stream()
  local unread = unread_count()
  if unread > 0 or wait == 0 then return { NOW, 'stream', math.max(share_of(unread, limit), 1) } end
  call('ZADD', IDLE, NOW + wait, worker)
  return { NOW, 'wait' }
end

-- As a rule nothing has come back.
if call('EXISTS', BACK, AGAIN) == 0 then
  if last == 'again' then call('HSET', STATE, 'last', 'first') end
  return to_stream()
end

local function is_new_waiting()
  local groups = call('XINFO', 'GROUPS', JOBS)
  for _, group in ipairs(groups) do
    local fields = {}
    for n = 1, #group, 2 do fields[group[n]] = group[n + 1] end
    if fields['name'] == GROUP then
      return #call('XRANGE', JOBS, '(' .. fields['last-delivered-id'], '+', 'COUNT', 1) > 0
    end
  end
  return false
end

local function take(line, claims)
  local popped = call('ZPOPMIN', line)
  local entry = entry_at(popped[1])
  local attempts = attempts_of(entry)
  attempts.deliveries, attempts.claims = attempts.deliveries + 1, attempts.claims + 1
  local found = call('XCLAIM', JOBS, GROUP, worker, 0, entry, 'RETRYCOUNT', attempts.deliveries, 'FORCE')[1]
  -- Somebody else deleted it: the audit finds its record, and says so.
  if not found then call('HDEL', ATTEMPTS, entry) return end
  store_attempts(entry, attempts)
  local head = found[2][2]
  bytes_read = bytes_read + #found[2][4]
  publish_running(head, attempts.claims, worker)
  claims[#claims + 1] = { entry, attempts.deliveries, attempts.claims, head, found[2][4], '' }
end

-- Bytes of images handed out by one call: as much as a batch of 64 colour images has.
local CLAIM_BYTES_MAX = 16 * 1024 * 1024

local back, again = call('ZCARD', BACK), call('ZCARD', AGAIN)
local claims = {}
-- Jobs attempted before are older, so they go first, one alone; but never twice in a row while others wait.
if again > 0 and not (last == 'again' and (back > 0 or is_new_waiting())) then
  call('HSET', STATE, 'last', 'again')
  take(AGAIN, claims)
  flush_events()
  return { NOW, 'taken', claims }
end
if last == 'again' then call('HSET', STATE, 'last', 'first') end
if back == 0 then return to_stream() end
for _ = 1, math.min(limit, back) do
  if bytes_read < CLAIM_BYTES_MAX then take(BACK, claims) end
end
if #claims < limit and bytes_read < CLAIM_BYTES_MAX then
  local read = call('XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', limit - #claims, 'STREAMS', JOBS, '>')
  for _, found in ipairs(read and read[1][2] or {}) do
    local head = found[2][2]
    publish_running(head, 1, worker)
    claims[#claims + 1] = { found[1], 1, 1, head, found[2][4], found[2][6] or '' }
  end
end
flush_events()
return { NOW, 'taken', claims }
