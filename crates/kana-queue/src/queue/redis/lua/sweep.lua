-- Does what time asks for, and repairs what strangers did. Answers { unheld jobs requeued, jobs lost }.
catch_up()

-- How often the expensive parts are done, whoever asks: two of them fit into a lease.
local PERIOD = 2000
-- Entries and records looked at in one sweep.
local LOOK_MAX = 500
-- A consumer that holds nothing and has not asked for anything for so long is gone: every live one asks every second.
local CONSUMER_IDLE_MAX = 60000

local expired = call('XRANGE', DEAD, '-', '+', 'COUNT', 100)
for _, letter in ipairs(expired) do
  if unpack_at('>L', letter[2][6]) + DEAD_TTL > NOW then break end
  call('XDEL', DEAD, letter[1])
  call('HDEL', LETTERS, sub(letter[2][2], 1, 16))
end

local state = call('HMGET', STATE, 'swept', 'orphans', 'audit')
local swept = tonumber(state[1]) or 0
if NOW >= swept and NOW - swept < PERIOD then return { 0, 0 } end

local delivered = '0-0'
for _, group in ipairs(call('XINFO', 'GROUPS', JOBS)) do
  local fields = {}
  for n = 1, #group, 2 do fields[group[n]] = group[n + 1] end
  if fields['name'] == GROUP then delivered = fields['last-delivered-id'] end
end
-- A nudge that somebody received and never deleted is nobody's loss: its consumer goes with it.
for _, stream in ipairs({ JOBS, NUDGES }) do
  for _, consumer in ipairs(call('XINFO', 'CONSUMERS', stream, GROUP)) do
    local fields = {}
    for n = 1, #consumer, 2 do fields[consumer[n]] = consumer[n + 1] end
    if (fields['pending'] == 0 or stream == NUDGES) and fields['idle'] >= CONSUMER_IDLE_MAX then
      call('XGROUP', 'DELCONSUMER', stream, GROUP, fields['name'])
    end
  end
end
-- Only now: where the group was gone, all of this was refused, and is asked for again at once.
call('HSET', STATE, 'swept', NOW)

-- Delivered, and neither held nor in a line: somebody deleted the consumer that held it.
local unheld = 0
local start = state[2] or '-'
local entries = call('XRANGE', JOBS, start, delivered, 'COUNT', LOOK_MAX)
for _, found in ipairs(entries) do
  local entry = found[1]
  if not holder(entry) and not call('ZSCORE', AGAIN, place(entry)) and not call('ZSCORE', BACK, place(entry)) then
    local id = sub(found[2][2], 1, 16)
    local record = #id == 16 and record_of(id)
    if record and not is_settled(record) and entry_of(record) == entry then
      local attempts = attempts_of(entry)
      -- Far from any number that its last holder may have been given.
      attempts.deliveries, attempts.claims, attempts.again = attempts.deliveries + 100, math.max(attempts.claims, 1), true
      requeue(id, record, attempts)
      unheld = unheld + 1
    else
      over[#over + 1] = entry
    end
  end
end
local more = #entries == LOOK_MAX
if more then call('HSET', STATE, 'orphans', '(' .. entries[#entries][1]) else call('HDEL', STATE, 'orphans') end
finish()

-- Fewer entries than open jobs: somebody deleted entries, and each such job is lost.
local lost, open, buckets = 0, 0, call('HGETALL', OPEN)
for n = 2, #buckets, 2 do open = open + tonumber(buckets[n]) end
if open > call('XLEN', JOBS) then
  local looked = 0
  for n = 1, #buckets, 2 do
    local cursor, at = '0', state[3]
    if at and sub(at, 1, #buckets[n] + 1) == buckets[n] .. ' ' then cursor = sub(at, #buckets[n] + 2) end
    if not at or cursor ~= '0' then
      state[3] = false
      repeat
        local page = call('HSCAN', buckets[n], cursor, 'COUNT', LOOK_MAX)
        cursor = page[1]
        for m = 1, #page[2], 2 do
          local id, record = page[2][m], page[2][m + 1]
          if not is_settled(record) and #call('XRANGE', JOBS, entry_of(record), entry_of(record)) == 0 then
            local why = 'lost: its image was deleted from the queue by somebody else before it was done'
            conclude(id, record, pack('>L', NOW), attempts_of(entry_of(record)).claims, tail_of('', '\1' .. why))
            lost = lost + 1
          end
        end
        looked = looked + LOOK_MAX
      until cursor == '0' or looked >= 10 * LOOK_MAX
      if cursor ~= '0' then call('HSET', STATE, 'audit', buckets[n] .. ' ' .. cursor) break end
    end
  end
  if looked < 10 * LOOK_MAX then call('HDEL', STATE, 'audit') end
  finish()
end
return { unheld, lost }
