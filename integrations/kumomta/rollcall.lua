-- Not run by the tests: written from the reference manual of KumoMTA (smtp_server_rcpt_to, kumo.reject, kumo.http).
-- Copy it to /opt/kumomta/etc/policy and load it from init.lua: require 'rollcall'.
local kumo = require 'kumo'

local URL = 'https://rollcall.example.org/v1/rcpt'
local TOKEN = os.getenv 'ROLLCALL_TOKEN'
-- Domains whose recipients are checked. Other domains are up to the rest of the policy.
local DOMAINS = { ['example.com'] = true }
-- Answers with another verdict are not understood.
local VERDICTS = {
  deliverable = true, unknown = true, disabled = true, moved = true, ['not-served'] = true, malformed = true,
  departed = true, full = true, throttled = true, unavailable = true,
}

-- The code and the text of the reply; raises an error without a whole answer about this very recipient.
local function ask(recipient)
  local request = kumo.http.build_client({}):post(URL)
  request:timeout '5 seconds'
  request:bearer_auth(TOKEN)
  request:header('Content-Type', 'application/json')
  request:body(kumo.json_encode { recipient = recipient })
  local response = request:send()
  assert(response:status_code() == 200, 'status ' .. response:status_code())
  local answer = kumo.json_parse(response:text())
  assert(answer.recipient == recipient, 'an answer about another recipient')
  local class = ({ accept = '2', reject = '5', defer = '4' })[answer.action]
  local code, text = string.match(answer.reply, '^(%d%d%d) (.+)$')
  assert(VERDICTS[answer.verdict], 'an unknown verdict')
  assert(class and code and string.sub(code, 1, 1) == class, 'an answer that is not understood')
  return tonumber(code), text
end

kumo.on('smtp_server_rcpt_to', function(recipient, conn_meta)
  if not DOMAINS[string.lower(recipient.domain)] then
    return
  end
  local ok, code, text = pcall(ask, recipient.email)
  -- kumo.reject raises an error, so it stands outside of pcall.
  if not ok then
    kumo.log_warn('rollcall: ' .. tostring(code))
    kumo.reject(451, '4.3.0 recipient cannot be checked now, try again later')
  elseif code >= 400 then
    kumo.reject(code, text)
  end
end)
