-- The health of a ChannelConnector, from its conditions. Argo CD itself sees to
-- resources that are being deleted.
local health = { status = "Progressing", message = "The operator has not looked at this version yet" }
local status = obj.status or {}
local outside = ""
if status.observedGeneration ~= obj.metadata.generation then
  return health
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.reason .. ": " .. condition.message
    if condition.status == "True" then
      health.status = "Healthy"
    end
  elseif (condition.type == "Exposed" or condition.type == "WebhookRegistered") and condition.status ~= "True" then
    outside = outside .. ". " .. condition.type .. " is " .. condition.status .. ": " .. condition.message
  elseif condition.type == "Stalled" and condition.status == "True" then
    health.status = "Degraded"
  end
end
health.message = health.message .. outside
return health
