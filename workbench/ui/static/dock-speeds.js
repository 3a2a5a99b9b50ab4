// Speeds of the player: sounds at another speed and the same pitch.
import { stretch } from "./dock-stretch.js"

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2]

const asked = new Map() // id to what takes the answer
let worker = null, count = 0

// The worker, from the first use on; null where the browser has none, or it failed.
function helper() {
  if (worker === null) {
    try {
      worker = new Worker(new URL("/dock/dock-stretch-worker.js", location.href), { type: "module" })
      worker.onmessage = ({ data: { id, made } }) => { asked.get(id)?.(made); asked.delete(id) }
      worker.onerror = () => { worker = false; for (const answer of asked.values()) answer(null); asked.clear() }
    } catch { worker = false }
  }
  return worker || null
}

// A buffer that plays at this speed with the pitch of ``buffer``.
export async function atSpeed(buffer, rate) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c)), { sampleRate } = buffer
  const there = helper()
  let made = there && (await new Promise((done) => {
    asked.set(++count, done)
    there.postMessage({ id: count, channels, sampleRate, rate }) // copies them: the player may need them at speed 1
  }))
  made ??= stretch(channels, sampleRate, rate)
  const found = new AudioBuffer({ length: Math.max(1, made[0].length), numberOfChannels: made.length, sampleRate })
  made.forEach((one, c) => { if (one.length) found.copyToChannel(one, c) })
  return found
}
