-- Opens the queue for a process. ARGV: '1' where it was let in before, otherwise '0'. Answers { 'open' },
-- { 'follows', limits } where it now goes by other limits than its own, { 'replaced', limits } where its own are now the
-- queue's, { 'limits', limits } where it is refused because of its limits, { 'layout', layout } because of the layout.
--
-- The limits of a queue that somebody uses stay, and its processes go by them. Where nobody has called it for a while no
-- process is left that goes by them, except one that was paused meanwhile, which then follows.
local UNUSED_MAX = 30000
local state = call('HMGET', STATE, 'layout', 'limits', 'clock')
local limits, clock = state[2], tonumber(state[3]) or 0
if state[1] and tonumber(state[1]) ~= LAYOUT then return { 'layout', state[1] } end
local answer = { 'open' }
if limits and limits ~= OWN_LIMITS then
  if ARGV[1] == '1' then
    answer = { 'follows', limits }
  elseif NOW >= clock and NOW <= clock + UNUSED_MAX then
    return { 'limits', limits }
  else
    answer = { 'replaced', limits }
  end
end
if answer[1] ~= 'follows' and limits ~= OWN_LIMITS then
  -- Leases that would last longer may now end sooner.
  call('HSET', STATE, 'layout', LAYOUT, 'limits', OWN_LIMITS, 'lapse', 0)
end

-- The groups are created where they are missing: from the beginning of the streams, so that nothing that waits is skipped.
-- Lines and attempts name entries that the lost group had delivered, and a new one delivers all again.
local function has_group(stream)
  if call('EXISTS', stream) == 0 then return false end
  for _, group in ipairs(call('XINFO', 'GROUPS', stream)) do
    if group[2] == GROUP then return true end
  end
  return false
end
if not has_group(JOBS) then
  call('XGROUP', 'CREATE', JOBS, GROUP, '0', 'MKSTREAM')
  call('UNLINK', BACK, AGAIN, ATTEMPTS)
end
if not has_group(NUDGES) then call('XGROUP', 'CREATE', NUDGES, GROUP, '0', 'MKSTREAM') end
return answer
