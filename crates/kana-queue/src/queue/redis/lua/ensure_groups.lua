-- Creates the groups where they are missing: from the beginning of the streams, so that nothing that waits is skipped.
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
return redis.status_reply('OK')
