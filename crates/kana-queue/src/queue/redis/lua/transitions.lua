-- How does a job leave a worker: with an outcome, or back into a line? And which leases have expired?

-- Nudges pending at most: each wakes one worker that waits, and a worker that is awake looks by itself.
local NUDGES_MAX = 64

-- What finish() writes: records by bucket, entries that are over, settled jobs by batch.
local fresh, over, closed, nudges, stamp, once
local function clear() fresh, over, closed, nudges, stamp, once = {}, {}, {}, 0, nil, pack('>I4', 1) end
initialisers[1] = clear

local function finish()
  for key, pairs_ in pairs(fresh) do
    in_parts(pairs_, function(...) call('HSET', key, ...) end)
    local count = call('HINCRBY', OPEN, key, -#pairs_ / 2)
    if count <= 0 then
      call('HDEL', OPEN, key)
      call('PEXPIRE', key, OUTCOME_TTL)
    end
  end
  for key, count in pairs(closed) do
    if call('HINCRBY', key, 'open', -count) <= 0 then call('PEXPIRE', key, OUTCOME_TTL) end
  end
  if #over > 0 then
    in_parts(over, function(...) call('XACK', JOBS, GROUP, ...) call('XDEL', JOBS, ...) end)
    if call('EXISTS', ATTEMPTS, BACK, AGAIN) > 0 then
      in_parts(over, function(...) call('HDEL', ATTEMPTS, ...) end)
      for _, entry in ipairs(over) do
        local at = place(entry)
        call('ZREM', BACK, at)
        call('ZREM', AGAIN, at)
      end
    end
  end
  for _ = 1, math.min(nudges, NUDGES_MAX) do call('XADD', NUDGES, 'MAXLEN', NUDGES_MAX, '*', 'n', '') end
  flush_events()
  clear()
end

-- Gives a job its outcome. `tail` is its worker and its verdict, `claimed` eight bytes.
local function conclude(id, record, claimed, attempts, tail)
  local entry, rest = entry_of(record), rest_of(record)
  if not stamp then stamp = 'S' .. pack('>LI2', NOW, epoch) end
  local settled = stamp .. claimed .. (attempts == 1 and once or pack('>I4', attempts)) .. tail .. rest
  local key, batch = bucket(id), ROOT .. ':batch:' .. sub(rest, 1, 16)
  local list = fresh[key]
  if not list then list = {} fresh[key] = list end
  list[#list + 1] = id
  list[#list + 1] = settled
  closed[batch] = (closed[batch] or 0) + 1
  over[#over + 1] = entry
  publish(id, settled)
end

local function tail_of(worker, verdict) return pack('>I2', #worker) .. worker .. pack('>I4', #verdict) .. verdict end

-- Puts a job back in line, at the place that it was given when it was submitted.
local function requeue(id, record, attempts)
  local entry = entry_of(record)
  call('XACK', JOBS, GROUP, entry)
  store_attempts(entry, attempts)
  call('ZADD', attempts.again and AGAIN or BACK, 0, place(entry))
  nudges = nudges + 1
  publish_queued(id, rest_of(record), attempts.claims)
end

local LAST = {
  failed = function(worker, why) return 'worker ' .. worker .. ' failed: ' .. why end,
  expired = function(worker) return 'the lease of worker ' .. worker .. ' expired' end,
  crashed = function(worker) return 'worker ' .. worker .. ' crashed' end,
  stopped = function(worker) return 'worker ' .. worker .. ' was stopped' end,
}

local function reason(attempts, worker, how, why)
  -- The pod, whichever of its incarnations.
  worker = string.match(worker, '^[^' .. WORKER_SEPARATOR .. ']*')
  local last = LAST[how](worker, why)
  if attempts.failures >= ATTEMPTS_MAX then
    return attempts.failures .. ' of ' .. ATTEMPTS_MAX .. ' attempts failed; the last time, ' .. last
  end
  return 'claimed ' .. attempts.claims .. ' times and never finished; the last time, ' .. last
end

local function dead_letter(id, fields, attempts, worker, why)
  local letter = pack('>LI4I2', NOW, attempts.claims, #worker) .. worker .. why
  call('HSET', LETTERS, id, call('XADD', DEAD, '*', 'job', fields[2], 'image', fields[4], 'letter', letter))
end

-- Ends the attempt under way without an outcome: the job waits for another, or is dead-lettered.
local function end_attempt(held, how, why)
  local entry, worker = held[1], held[2]
  local found = call('XRANGE', JOBS, entry, entry)[1]
  -- Somebody else deleted it: the audit finds its record, and says so.
  if not found then call('XACK', JOBS, GROUP, entry) return 'late' end
  local fields = found[2]
  local id = sub(fields[2], 1, 16)
  local record = #id == 16 and record_of(id)
  if not record or is_settled(record) or entry_of(record) ~= entry then
    -- No job of ours, or no longer.
    over[#over + 1] = entry
    return 'late'
  end
  local attempts = attempts_of(entry, held)
  if how ~= 'stopped' then attempts.failures = attempts.failures + 1 end
  attempts.again = true
  if attempts.failures < ATTEMPTS_MAX and attempts.claims < CLAIMS_MAX then
    requeue(id, record, attempts)
    return 'retried'
  end
  local why_dead = reason(attempts, worker, how, why)
  local settler = how == 'failed' and worker or ''
  conclude(id, record, pack('>L', NOW - held[3]), attempts.claims, tail_of(settler, '\1' .. why_dead))
  dead_letter(id, fields, attempts, worker, why_dead)
  return 'dead'
end

-- Calls f with all that workers hold; `worker` only with what that one holds.
local function for_each_held(f, ...)
  local start = '-'
  repeat
    local found = call('XPENDING', JOBS, GROUP, start, '+', 1000, ...)
    for _, held in ipairs(found) do f(held) end
    if #found > 0 then start = '(' .. found[#found][1] end
  until #found < 1000
end

-- What a lease still lasts at least after the server was away: enough for the next heartbeats, and not so long that the
-- jobs of a dead worker wait for ever where the server is away again and again.
local GRACE = LEASE / 2

-- Leases whose last heartbeat was before this count as extended at this moment: what renews them all writes one number.
local renewed = 0

-- How long ago a lease was extended.
local function idle_of(held) return math.min(held[3], NOW - renewed) end

-- Lets every lease count as extended now, where the last heartbeats lie ahead of the clock.
local function extend_all()
  local by_worker = {}
  for_each_held(function(held)
    local list = by_worker[held[2]]
    if not list then list = {} by_worker[held[2]] = list end
    list[#list + 1] = held[1]
  end)
  for worker, entries in pairs(by_worker) do
    in_parts(entries, function(...)
      local some = { ... }
      some[#some + 1] = 'JUSTID'
      call('XCLAIM', JOBS, GROUP, worker, 0, unpack(some))
    end)
  end
end

-- How much later the clock may be than the last time that was written down.
local CLOCK_STALE_MAX = 100

-- What the server calls this run of its own.
local function run_of_server() return string.match(call('INFO', 'server'), 'run_id:(%x+)') end

-- Requeues what expired, and answers which line was last claimed from. Time in which nobody called is no lapse: then
-- the machines, the network or Redis stood still, and nobody could extend a lease. While the server was down for a
-- moment nobody could either; while its clock was ahead leases were given that would now last too long.
local function catch_up()
  local state = call('HMGET', STATE, 'clock', 'lapse', 'run', 'epoch', 'cut', 'last', 'renewed')
  local clock, lapse = tonumber(state[1]) or 0, tonumber(state[2]) or 0
  epoch, cut, renewed = tonumber(state[4]) or 0, tonumber(state[5]) or 0, tonumber(state[7]) or 0
  local is_back, was_silent = NOW < clock, NOW > clock + SILENCE
  if not is_back and not was_silent and NOW < lapse then
    if NOW > clock + CLOCK_STALE_MAX then call('HSET', STATE, 'clock', NOW) end
    return state[6]
  end
  local run = run_of_server()
  if is_back then
    epoch, cut = (epoch + 1) % 65536, NOW
    call('HSET', STATE, 'epoch', epoch, 'cut', cut)
    extend_all()
    renewed, lapse = NOW, NOW + LEASE
  elseif was_silent then
    renewed, lapse = NOW, NOW + LEASE
  elseif state[3] ~= run then
    renewed, lapse = math.max(renewed, NOW - (LEASE - GRACE)), NOW + GRACE
  else
    local longest, expired = 0, {}
    for_each_held(function(held)
      local idle = idle_of(held)
      if idle >= LEASE then expired[#expired + 1] = held else longest = math.max(longest, idle) end
    end)
    for _, held in ipairs(expired) do end_attempt(held, 'expired') end
    lapse = NOW + LEASE - longest
    finish()
  end
  call('HSET', STATE, 'clock', NOW, 'lapse', lapse, 'run', run, 'renewed', renewed)
  return state[6]
end
