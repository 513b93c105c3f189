-- wrk asks for one URL after another: `wrk ... -s urls.lua URL -- MODE FORMAT COUNT [SEED]`, one thread.
-- sequence: FORMAT with 0, 1, 2 ... (COUNT 0: without end); uniform: a number below COUNT, drawn anew for each request; zipf: the same with weights 1/rank;
-- mix: FORMAT is a list "weight:format,weight:format", each with the next number.
local mode, format, count
local cumulative = {}
local formats, total = {}, 0
local next_number = 0

function init(args)
  mode, format, count = args[1], args[2], tonumber(args[3])
  math.randomseed(tonumber(args[4] or 4711))
  if mode == "zipf" then
    local sum = 0
    for rank = 1, count do
      sum = sum + 1 / rank
      cumulative[rank] = sum
    end
  end
  if mode ~= "mix" then return end
  for weight, each in format:gmatch("(%d+):([^,]+)") do
    total = total + tonumber(weight)
    formats[#formats + 1] = {upto = total, format = each}
  end
end

local function one_of_mix()
  local drawn = math.random(total)
  for _, each in ipairs(formats) do
    if drawn <= each.upto then return each.format end
  end
end

local function zipf()
  local drawn = math.random() * cumulative[count]
  local low, high = 1, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if cumulative[middle] < drawn then low = middle + 1 else high = middle end
  end
  return low - 1
end

function request()
  local number = next_number
  if mode == "uniform" then
    number = math.random(0, count - 1)
  elseif mode == "zipf" then
    number = zipf()
  else
    next_number = next_number + 1
    if count > 0 and next_number >= count then next_number = 0 end
  end
  return wrk.format("GET", string.format(mode == "mix" and one_of_mix() or format, number))
end
