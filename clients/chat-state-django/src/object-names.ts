// How the state of many Durable Objects lies side by side in one namespace of the server.
//
//   object "default"   slack:C1:1.2                    as it is
//   object "slack:C1"  do:slack%3AC1:slack:C1:1.2      behind the object's name
//
// One stored id never stands for two: a name is written without colons, and what begins with "do:"
// by itself in the default object is stored behind its name too.

export const DEFAULT_NAME = 'default'

const PREFIX = 'do:'

/** What a thread id or key of an object is stored as. */
export function storedId(objectName: string, id: string): string {
  if (objectName === DEFAULT_NAME && !id.startsWith(PREFIX)) return id
  return `${PREFIX}${objectName.replace(/[%:]/g, encodeURIComponent)}:${id}`
}

/** The name of the object that a stored id belongs to. */
export function objectNameOf(stored: string): string {
  if (!stored.startsWith(PREFIX)) return DEFAULT_NAME
  const name = stored.slice(PREFIX.length, stored.indexOf(':', PREFIX.length))
  return name.replace(/%25|%3A/g, decodeURIComponent)
}
