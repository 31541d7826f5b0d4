-- /etc/rspamd/lua.local.d/rollcall.lua: asks the bridge's line listener about the recipients of a message.
--
-- Rspamd sees a message at the end of DATA, when all recipients have been accepted. It can only refuse the message as a
-- whole. So this is for hosts whose mail server cannot ask at RCPT TO itself.

local rspamd_logger = require "rspamd_logger"
local rspamd_tcp = require "rspamd_tcp"

local settings = {
  -- The bridge: rollcall bridge --line 127.0.0.1:10025
  bridge = "127.0.0.1:10025",
  -- Domains that mail is received for. Nobody is asked about other recipients.
  domains = { "example.com" },
  -- Seconds until an answer counts as missing. The bridge answers within 3.
  timeout = 4.0,
  -- Whether to refuse and defer. If false, only the symbols are set.
  act = true,
}

local host, port = settings.bridge:match("^%[?([%x.:]-)%]?:(%d+)$")
local ours = {}
for _, domain in ipairs(settings.domains) do ours[domain:lower()] = true end

-- What a reply line says of a recipient: "accept", "reject", or "defer" for everything that is no whole reply.
local function action_of(err, data)
  local reply = not err and data and tostring(data) or ""
  local code, class = reply:match("^(%d%d%d) (%d)%.%d+%.%d+ +[^\r\n]+\r?\n?$")
  if code == "250" and class == "2" then return "accept" end
  if class == "5" and code:sub(1, 1) == "5" then return "reject" end
  return "defer"
end

local function conclude(task, counts, others)
  if counts.defer > 0 then
    -- Who it is about is not known, so the sender tries again with all of them.
    task:insert_result("ROLLCALL_DEFER", 1.0, tostring(counts.defer))
    if settings.act then
      task:set_pre_result({
        action = "soft reject",
        message = "recipients cannot be checked now, try again later",
        module = "rollcall",
      })
    end
  elseif counts.reject > 0 and counts.accept + others == 0 then
    task:insert_result("ROLLCALL_UNKNOWN", 1.0, tostring(counts.reject))
    if settings.act then
      task:set_pre_result({ action = "reject", message = "no such mailbox here", module = "rollcall" })
    end
  elseif counts.reject > 0 then
    task:insert_result("ROLLCALL_SOME_UNKNOWN", 1.0, tostring(counts.reject))
  end
end

local function check(task)
  -- Mail of our own users may go anywhere.
  if task:get_user() then return end
  local asked, others = {}, 0
  for _, rcpt in ipairs(task:get_recipients("smtp") or {}) do
    if ours[(rcpt.domain or ""):lower()] and not rcpt.addr:find("[\r\n]") then
      asked[#asked + 1] = rcpt.addr
    else
      others = others + 1
    end
  end

  local counts = { accept = 0, reject = 0, defer = 0 }
  local pending = #asked
  local function note(action)
    counts[action] = counts[action] + 1
    pending = pending - 1
    if pending == 0 then conclude(task, counts, others) end
  end

  for _, address in ipairs(asked) do
    local is_noted = false
    local function once(err, data)
      if is_noted then return end
      is_noted = true
      if err then rspamd_logger.errx(task, "rollcall: no answer from the bridge: %s", err) end
      note(action_of(err, data))
    end
    local is_sent = rspamd_tcp.request({
      task = task,
      host = host,
      port = tonumber(port),
      timeout = settings.timeout,
      stop_pattern = "\n",
      data = { address, "\n" },
      callback = once,
    })
    if not is_sent then once("no connection") end
  end
end

local id = rspamd_config:register_symbol({
  name = "ROLLCALL_CHECK",
  type = "prefilter",
  -- Before greylisting and everything that learns: an unknown recipient costs them nothing.
  priority = 10,
  callback = check,
})
for name, about in pairs({
  ROLLCALL_UNKNOWN = "no recipient exists",
  ROLLCALL_SOME_UNKNOWN = "some recipients do not exist",
  ROLLCALL_DEFER = "recipients cannot be checked now",
}) do
  rspamd_config:register_symbol({ name = name, type = "virtual", parent = id })
  rspamd_config:set_metric_symbol({ name = name, score = 0.0, description = about, group = "rollcall" })
end
